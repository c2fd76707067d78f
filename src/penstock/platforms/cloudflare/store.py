"""Small values in Workers KV: the cache of all places, a minute behind itself."""

from __future__ import annotations

from math import ceil
from typing import Any

from penstock.platforms.cloudflare import values
from penstock.platforms.stamp import stamped, unstamped
from penstock.ports import Clock

PREFIX = "store:"
LEAST_TTL = 60
"""Seconds: KV keeps nothing for less, so the stamp says when a value's time really is over."""


class CloudflareStore:
    """Values of at most `most_bytes`, each with its expiry before it; what KV refuses is not kept."""

    def __init__(self, namespace: Any, clock: Clock, most_bytes: int) -> None:
        self._namespace = namespace
        self._clock = clock
        self._most = most_bytes

    async def get(self, key: str) -> bytes | None:
        try:
            found = await self._namespace.get(PREFIX + key, "arrayBuffer")
        except values.JsException:
            return None
        return unstamped(values.content(found), self._clock.now())

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        if ttl <= 0 or len(value) > self._most:
            await self.delete(key)
            return
        until = values.options({"expirationTtl": max(LEAST_TTL, ceil(ttl))})
        content = values.value(stamped(value, self._clock.now() + ttl))
        try:
            await self._namespace.put(PREFIX + key, content, until)
        except values.JsException:
            return

    async def delete(self, key: str) -> None:
        try:
            await self._namespace.delete(PREFIX + key)
        except values.JsException:
            return
