"""A tunnel without a socket: two ends, of which each gets what the other sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from penstock.errors import Broken

HELD = 64 << 10
"""Unread bytes above which a sender waits."""


class End:
    """One end, a Duplex; `pair` makes two."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._held = 0
        self._over = self._ended = self._closed = self._broken = False
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self.peer = self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while not self._parts:
            if self._closed or (self._over and not self._broken):
                raise StopAsyncIteration
            if self._broken:
                raise Broken("The other end was closed.")
            self._news.clear()
            await self._news.wait()
        data = b"".join(self._parts)
        self._parts.clear()
        self._held = 0
        self._room.set()
        return data

    async def send(self, data: bytes) -> None:
        peer = self.peer
        if self._ended or self._closed or peer._closed:
            raise Broken("The other end was closed.")
        peer._parts.append(data)
        peer._held += len(data)
        if peer._held > HELD:
            peer._room.clear()
        peer._news.set()
        await peer._room.wait()
        if peer._closed:
            raise Broken("The other end was closed.")

    async def end(self) -> None:
        self._ended = True
        self.peer._over = True
        self.peer._news.set()

    async def aclose(self) -> None:
        """The other end sees the end too; if this one had not said that it sends no more, as a break."""
        if self._closed:
            return
        self._closed = True
        self._parts.clear()
        self._room.set()
        self._news.set()
        await self.end()


def pair() -> tuple[End, End]:
    """Two ends of one tunnel."""
    one, other = End(), End()
    one.peer, other.peer = other, one
    return one, other
