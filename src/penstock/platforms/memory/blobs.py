"""Bytes that are kept, in this process."""

from __future__ import annotations

from penstock.errors import Unavailable
from penstock.ports import Clock

MOST_BYTES = 64 << 20


class MemoryBlobs:
    """All values until their time is over; one for which there is no room is refused, and nothing is dropped for it."""

    def __init__(self, clock: Clock, max_bytes: int = MOST_BYTES) -> None:
        self._now = clock.now
        self._max_bytes = max_bytes
        self._entries: dict[str, tuple[bytes, float]] = {}

    async def get(self, key: str) -> bytes | None:
        entry = self._entries.get(key)
        return entry[0] if entry is not None and entry[1] > self._now() else None

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        now = self._now()
        others = {k: e for k, e in self._entries.items() if e[1] > now and k != key}
        if sum(map(_size, others.items())) + len(key) + len(value) > self._max_bytes:
            raise Unavailable("There is no room for more replies.")
        if ttl > 0:
            others[key] = (value, now + ttl)
        self._entries = others

    async def delete(self, key: str) -> None:
        self._entries.pop(key, None)


def _size(entry: tuple[str, tuple[bytes, float]]) -> int:
    return len(entry[0]) + len(entry[1][0])
