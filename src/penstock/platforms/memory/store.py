"""Small values in this process."""

from __future__ import annotations

from collections import OrderedDict

from penstock.ports import Clock

OVERHEAD = 200
"""Bytes that an entry takes beside its key and its value."""


class MemoryStore:
    """The most recently used values, at most `max_bytes` of them with their keys and what holding them costs."""

    def __init__(self, clock: Clock, max_bytes: int = 64 << 20) -> None:
        self._tick = clock.tick
        self._max_bytes = max_bytes
        self._entries: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    async def get(self, key: str) -> bytes | None:
        return self.peek(key)

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        self.keep(key, value, ttl)

    async def delete(self, key: str) -> None:
        self.drop(key)

    def peek(self, key: str) -> bytes | None:
        """`get` as a plain function."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[1] <= self._tick():
            self.drop(key)
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def keep(self, key: str, value: bytes, ttl: float) -> None:
        """`put` as a plain function."""
        self.drop(key)
        size = _size(key, value)
        if ttl <= 0 or size > self._max_bytes:
            return
        self._entries[key] = (value, self._tick() + ttl)
        self.bytes += size
        while self.bytes > self._max_bytes:
            oldest, (dropped, _) = self._entries.popitem(last=False)
            self.bytes -= _size(oldest, dropped)

    def drop(self, key: str) -> None:
        """`delete` as a plain function."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.bytes -= _size(key, entry[0])


def _size(key: str, value: bytes) -> int:
    return len(key) + len(value) + OVERHEAD
