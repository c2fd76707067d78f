"""Bytes that are kept, in R2."""

from __future__ import annotations

from typing import Any

from penstock.errors import Unavailable
from penstock.platforms.cloudflare import values
from penstock.platforms.stamp import stamped, unstamped
from penstock.ports import Clock

PREFIX = "blobs/"
LASTING = "documents/"
"""What begins so stands for itself: no lifecycle rule removes it."""


class CloudflareBlobs:
    """Objects of one bucket, each with its expiry before it.

    R2 has no bound of its own, so nothing is refused for want of room. It forgets nothing by itself either: what is over
    is not told any more, and a lifecycle rule of the bucket, on this prefix, removes it.
    """

    def __init__(self, bucket: Any, clock: Clock) -> None:
        self._bucket = bucket
        self._clock = clock

    async def get(self, key: str) -> bytes | None:
        try:
            found = await self._bucket.get(_place(key))
            buffer = await found.arrayBuffer() if values.is_there(found) else None
        except values.JsException as error:
            raise _unavailable() from error
        return unstamped(values.content(buffer), self._clock.now())

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        if ttl <= 0:
            await self.delete(key)
            return
        content = values.value(stamped(value, self._clock.now() + ttl))
        try:
            await self._bucket.put(_place(key), content)
        except values.JsException as error:
            raise _unavailable() from error

    async def delete(self, key: str) -> None:
        try:
            await self._bucket.delete(_place(key))
        except values.JsException as error:
            raise _unavailable() from error


def _unavailable() -> Unavailable:
    return Unavailable("The kept replies cannot be reached or written.")


def _place(key: str) -> str:
    return key if key.startswith(LASTING) else PREFIX + key
