"""A part of a store: what one process puts there takes no more than its share."""

from __future__ import annotations

from collections import OrderedDict

from penstock.ports import Store

OVERHEAD = 200
"""Bytes that an entry takes beside its key and its value."""


class Bounded:
    """A `Store` of at most `most` bytes within another: what was put first goes first, whoever else keeps things there."""

    def __init__(self, store: Store, most: int) -> None:
        self._store = store
        self.most = most
        self.bytes = 0
        self._sizes: OrderedDict[str, int] = OrderedDict()

    async def get(self, key: str) -> bytes | None:
        return await self._store.get(key)

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        self._forget(key)
        size = len(key) + len(value) + OVERHEAD
        if size > self.most:
            await self._store.delete(key)
            return
        self._sizes[key] = size
        self.bytes += size
        await self._store.put(key, value, ttl)
        while self.bytes > self.most:
            oldest, gone = self._sizes.popitem(last=False)
            self.bytes -= gone
            await self._store.delete(oldest)

    async def delete(self, key: str) -> None:
        self._forget(key)
        await self._store.delete(key)

    def _forget(self, key: str) -> None:
        self.bytes -= self._sizes.pop(key, 0)
