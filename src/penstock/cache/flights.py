"""One call in the air and whoever reads it: the first asker leads, the same askers behind it follow live."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol

from penstock.errors import Error, Failed, Unavailable
from penstock.wire.chat import Event


class Source(Protocol):
    """An answer on its way: `next` gives the events that came together, empty at the end."""

    async def next(self) -> Sequence[Event]: ...
    async def aclose(self) -> None: ...


Landing = Callable[["Flight"], Awaitable[None]]
"""What is done once when a flight ends, complete or not: settle and keep. Safe to call again if it was cut off."""


class Flight:
    """Events of one answer, pulled by whichever reader needs the next one.

    Readers pull for each other, so that no reader's slowness or leaving holds up another. `kept` says whether events
    stay for later readers; without it, or past `most` bytes, the one reader gets each event once. Once the last has left,
    `close` ends the source and lands it. `whole` says that its one event is the whole reply.
    """

    __slots__ = ("_landed", "_landing", "_passed", "_pulling", "_readers", "_shown", "_source", "_waiters",
                 "complete", "ended", "events", "failure", "kept", "most", "over", "size", "whole")  # fmt: skip

    def __init__(self, *, whole: bool, kept: bool, most: int = 0) -> None:
        self.events: list[Event] = []
        self.whole = whole
        self.kept = kept
        self.most = most
        self.size = 0
        self.complete = False
        self.over = False
        """Whether the source ended by itself, well or not."""
        self.ended = False
        self.failure: Error | None = None
        self._source: Source | None = None
        self._landing: Landing | None = None
        self._landed = False
        self._passed = 0
        self._shown = 0
        self._pulling = False
        self._readers = 1
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def readers(self) -> int:
        return self._readers

    @property
    def source(self) -> Source | None:
        """The answer that is read, once the leader's call was answered."""
        return self._source

    @property
    def started(self) -> bool:
        return self._source is not None

    @property
    def landed(self) -> bool:
        """Whether it was settled."""
        return self._landed

    def start(self, source: Source, landing: Landing) -> None:
        """The leader's call was answered: from here on the flight owns its source."""
        self._source = source
        self._landing = landing
        self._wake()

    def fail(self, failure: Error | None) -> None:
        """The leader's call came to nothing; None where its followers should go themselves."""
        self.ended = True
        self.failure = failure
        self._wake()

    def join(self) -> None:
        self._readers += 1

    async def departure(self) -> bool:
        """Waits until the leader's call was answered (True) or came to nothing (False)."""
        while self._source is None and not self.ended:
            await self._wait()
        return self._source is not None

    async def after(self, position: int) -> Sequence[Event]:
        """The events from a position on, at least one; empty once the flight has ended."""
        while True:
            if position - self._passed < self._shown:
                return self._hand_out(position)
            if self.ended:
                return ()
            if self._pulling:
                await self._wait()
                continue
            self._pulling = True
            try:
                events = await self._pull()
                if not (self.kept or self._readers > 1) and events and not events[-1].end:
                    # Nobody else will want them: the common case of a stream that is not kept.
                    self._passed += len(events)
                    return events
                await self._arrived(events)
            finally:
                self._pulling = False
                if self._waiters:
                    self._wake()

    def leave(self) -> None:
        """A reader is done; call `close` after it."""
        self._readers -= 1
        # Whoever waited on this reader's pull goes on itself.
        self._wake()

    async def close(self) -> None:
        """Ends the flight once nobody reads it. Safe to call again if it was cut off."""
        if self._readers <= 0:
            self.ended = True
            await self.land()

    async def land(self) -> None:
        """Closes the source and settles, whatever happens to whom; marks itself done only after that returned."""
        if self._landed or self._source is None or self._landing is None:
            return
        try:
            await self._source.aclose()
        finally:
            await self._landing(self)
        self._landed = True
        # It leads back here by its delivery: such a ring would wait for the garbage collector.
        self._landing = None

    def _hand_out(self, position: int) -> Sequence[Event]:
        if self.kept or self._readers > 1:
            return self.events[position - self._passed : self._shown]
        events, self.events = self.events[: self._shown], self.events[self._shown :]
        self._passed += self._shown
        self._shown = 0
        return events

    async def _pull(self) -> Sequence[Event]:
        assert self._source is not None
        try:
            return await self._source.next()
        except Failed as failure:
            return (Event(failure=failure, end=True),)

    async def _arrived(self, events: Sequence[Event]) -> None:
        """Holds events for who reads them, and lands the flight behind the last."""
        for event in events:
            self.size += len(event.data)
            if event.end:
                self.complete = event.failure is None
        if self.kept and self.size > self.most and self._readers == 1:
            # The one reader has had all the earlier ones: nobody else will.
            self.kept = False
            self._passed += len(self.events)
            self.events, self._shown = [], 0
        self.events.extend(events)
        self.over = not events or events[-1].end
        if self.over:
            # Settled before anyone is told the end: who saw it, finds it in the books. Where the books are out of
            # reach the answer goes out all the same: the hold stays, with its lease.
            with suppress(Unavailable):
                await self.land()
            self.ended = True
        self._shown = len(self.events)

    async def _wait(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


class Flights:
    """The calls in the air by cache key, in this process."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight] = {}

    def find(self, key: str) -> Flight | None:
        """A flight that may be joined: one that has ended has kept its answer, or has none, one too long to
        keep has forgotten its beginning."""
        flight = self._flights.get(key)
        return flight if flight is not None and flight.kept and not flight.ended else None

    def lead(self, key: str, flight: Flight) -> None:
        self._flights[key] = flight

    def drop(self, key: str, flight: Flight) -> None:
        """Nobody joins this flight any more."""
        if self._flights.get(key) is flight:
            del self._flights[key]
