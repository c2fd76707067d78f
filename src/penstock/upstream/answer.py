"""One target's answer on its way: bytes read, decoded into events, bounded in time."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.errors import Failed, Stalled
from penstock.ports import Clock
from penstock.providers import Decoder
from penstock.upstream.tour import Turn
from penstock.wire.chat import Event, Usage
from penstock.wire.http import Response


class Answer:
    """Events of one attempt. `usage` is the last reported one, a lower bound until `ended`; `heard` the last event's tick."""

    __slots__ = ("_clock", "_deadline", "_decoder", "_failure", "_first", "_response", "attempt", "ended", "finish",
                 "head", "heard", "offer", "turn", "usage", "waited")  # fmt: skip

    def __init__(
        self,
        turn: Turn,
        response: Response,
        decoder: Decoder,
        clock: Clock,
        deadline: float,
    ) -> None:
        self.turn = turn
        self.offer = turn.offer
        self.attempt = turn.number
        self.usage: Usage | None = None
        self.ended = False
        self.waited = 0.0
        self.heard = 0.0
        self.head = b""
        """What came first of it, which names it."""
        self.finish = ""
        self._response = response
        self._decoder = decoder
        self._clock = clock
        self._deadline = deadline
        self._first: Sequence[Event] = ()
        self._failure: Failed | None = None

    async def open(self) -> None:
        """Waits for the first event, the commit point; raises Failed where there is none."""
        events = await self.next()
        if events and events[0].failure is not None and not events[0].data:
            raise events[0].failure
        self._first = events
        if events:
            self.head = events[0].data

    async def next(self) -> Sequence[Event]:
        """The next events that came together; empty at the end. Raises Failed."""
        if self._first:
            events, self._first = self._first, ()
            return events
        body = self._response.body
        if isinstance(body, bytes):
            return self._all(body)
        try:
            while not self.ended:
                start = self._clock.tick()
                try:
                    events = self._decoder.feed(await body.__anext__())
                except StopAsyncIteration:
                    self.ended = True
                    events = self._decoder.close()
                self.heard = now = self._clock.tick()
                self.waited += now - start
                if now > self._deadline:
                    raise Stalled(
                        "The target took longer than the route's total time-out.", processed="yes"
                    )
                if events:
                    self._note(events)
                    return events
        except Failed as failure:
            self._failure = failure
            raise
        return ()

    async def aclose(self) -> None:
        try:
            await self._response.aclose()
        finally:
            well = self.ended and self._failure is None
            used = self.usage.total if well and self.usage is not None else None
            await self.turn.end(None if well else self._failure or _Left(), used)

    def _all(self, body: bytes) -> Sequence[Event]:
        if self.ended:
            return ()
        events = [*self._decoder.feed(body), *self._decoder.close()]
        self._note(events)
        self.ended = True
        return events

    def _note(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.usage is not None:
                self.usage = event.usage
            if event.finish:
                self.finish = event.finish
            if event.end:
                self.ended = True


class _Left(Exception):
    """Nobody read on."""


def unfinished() -> Failed:
    """What is said of an answer that stopped before its end."""
    return Failed("The target's answer ended before its end.", processed="yes")
