"""Replies of services in the Cache API: the cache of one data centre, in which what is put, or deleted, is so at once."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any
from urllib.parse import quote

from penstock.platforms.cloudflare import values
from penstock.platforms.stamp import stamped, unstamped
from penstock.ports import Clock

PLACE = "https://replies.penstock.invalid/"
"""Keys are URLs. This host is nobody's (RFC 6761), so that no request can ask a cache for what lies there."""


class CloudflareReplies:
    """A `Store` of values of at most `most_bytes`, each with its expiry before it: the cache's own is in whole seconds.
    `cache` gives the one of where it is called.

    Each data centre has its own. Where the Worker has no domain of its own (workers.dev) the platform keeps nothing,
    and what it refuses is not kept either.
    """

    def __init__(
        self, cache: Callable[[], Any], clock: Clock, most_bytes: int, place: str = PLACE
    ) -> None:
        self._cache = cache
        self._clock = clock
        self._most = most_bytes
        self._place = place

    async def get(self, key: str) -> bytes | None:
        try:
            found = await self._cache().match(self._url(key))
            buffer = await found.arrayBuffer() if values.is_there(found) else None
        except values.JsException:
            return None
        return unstamped(values.content(buffer), self._clock.now())

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        if ttl <= 0 or len(value) > self._most:
            await self.delete(key)
            return
        content = values.value(stamped(value, self._clock.now() + ttl))
        headers = {"cache-control": f"max-age={ceil(ttl)}"}
        try:
            await self._cache().put(self._url(key), values.response(content, headers))
        except values.JsException:
            await self.delete(key)  # an older value is not the last one

    async def delete(self, key: str) -> None:
        try:
            await self._cache().delete(self._url(key))
        except values.JsException:
            return

    def _url(self, key: str) -> str:
        return self._place + quote(key, safe="")
