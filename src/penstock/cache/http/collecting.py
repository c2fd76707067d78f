"""A body on its way from the origin to whoever reads it, put together for the store as it passes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from penstock.errors import Broken, Error, again
from penstock.wire.http import Stream

Keep = Callable[[bytes], Awaitable[None]]
"""Given the whole body, before any reader is told of its end."""


class Room:
    """How many bytes of bodies may be in memory at once while they are put together: `most`, of which some are `held`."""

    __slots__ = ("held", "most", "turn")

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0
        self.turn = 0
        """How often it was counted anew."""

    def forget(self) -> None:
        """Counts anew: on Workers, where a request that is killed never gives back what it held."""
        self.held = 0
        self.turn += 1


class Collection:
    """One body for one or more readers, whoever needs the next part pulls it.

    So no reader's slowness or leaving holds up another. Parts stay for those who join later, up to `most` bytes: a
    longer body is not kept, nobody joins it any more, and a part goes once all readers have had it; and so it is with one
    for which there is no `room`. Once the last reader has left, the source is closed, and what was not whole is kept
    nowhere.
    """

    __slots__ = (
        "_done", "_failure", "_held", "_keep", "_most", "_over", "_parts", "_passed", "_pulling", "_readers", "_room",
        "_size", "_source", "_turned", "_waiters", "_whole",
    )  # fmt: skip

    def __init__(
        self, source: Stream, most: int, keep: Keep, done: Callable[[], None], room: Room | None = None
    ) -> None:  # fmt: skip
        self._source = source
        self._most = most
        self._keep = keep
        self._done = done
        self._room = room or Room(most)
        self._turned = self._room.turn
        self._held = 0
        self._parts: list[bytes] = []
        self._passed = 0
        self._size = 0
        self._over = self._whole = False
        self._failure: Error | None = None
        self._pulling = False
        self._readers: list[Reader] = []
        self._waiters: list[asyncio.Future[None]] = []

    def reader(self) -> Reader | None:
        """One more reader, from the beginning; None where that is gone, or no more comes and it is not the whole."""
        ended = self._over and not self._readers and not self._whole
        if self._passed or self._size > self._most or ended:
            return None
        reader = Reader(self)
        self._readers.append(reader)
        return reader

    async def after(self, position: int) -> bytes | None:
        """The part at a position, None behind the last; raises the source's failure."""
        while position - self._passed >= len(self._parts):
            if self._failure is not None:
                raise again(self._failure)
            if self._over:
                return None
            if self._pulling:
                await self._turn()
            else:
                await self._pull()
        return self._parts[position - self._passed]

    def had(self) -> None:
        """A reader has gone on: of a body that is too long to keep, what all have had goes."""
        if self._size <= self._most or not self._readers:
            return
        behind = min(reader.position for reader in self._readers) - self._passed
        if behind > 0:
            self._hold(-sum([len(part) for part in self._parts[:behind]]))
            del self._parts[:behind]
            self._passed += behind

    async def leave(self, reader: Reader) -> None:
        """A reader is done, or gone. Safe to call again if it was cut off."""
        if reader in self._readers:
            self._readers.remove(reader)
            self._wake()
        if not self._readers:
            self._hold(-self._held)
            self._end()
            await self._source.aclose()

    async def _pull(self) -> None:
        self._pulling = True
        try:
            part = await anext(self._source, None)
            if part is None:
                await self._finish()
            else:
                self._parts.append(part)
                self._size += len(part)
                self._hold(len(part))
                if self._room.held > self._room.most:
                    self._most = -1
                if self._size > self._most:
                    self._done()
        except Error as failure:
            self._failure = failure
            self._end()
        except Exception:
            # Whatever it was, what came until then is not the whole.
            self._failure = Broken()
            self._end()
            raise
        finally:
            self._pulling = False
            self._wake()

    async def _finish(self) -> None:
        """Kept before anyone is told the end: whoever asks after that finds it."""
        if self._size <= self._most:
            await self._keep(b"".join(self._parts))
        self._whole = True
        self._end()

    def _hold(self, size: int) -> None:
        self._held += size
        if self._turned == self._room.turn:
            self._room.held += size

    def _end(self) -> None:
        self._over = True
        self._done()

    async def _turn(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


class Reader:
    """One reader's way through a collection: a `Stream`."""

    __slots__ = ("_collection", "position")

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self.position = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        part = await self._collection.after(self.position)
        if part is None:
            raise StopAsyncIteration
        self.position += 1
        self._collection.had()
        return part

    async def aclose(self) -> None:
        await self._collection.leave(self)
