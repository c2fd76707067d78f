"""A request's body that is still arriving."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from penstock.errors import Error, Overloaded, Refused
from penstock.gateway.bodies import Bodies

HELD = 256 << 10
"""Bytes that may wait to be read before the socket is."""
IDLE_SECONDS = 30.0
LEAST_RATE = 1_000
"""Bytes a second, on average, that a body must bring after its first IDLE_SECONDS."""


class TooSlow(Refused):
    """The request's body did not arrive in time."""

    status = 408
    code = "body_timeout"
    text = "Request Timeout"


class Flow(Protocol):
    """What a body asks of its connection."""

    def hold(self) -> None:
        """Read no more of the socket."""

    def go_on(self) -> None:
        """Read on; a client that waits to be asked for the body is asked."""


class Body:
    """Bytes as the connection brings them, read by one reader."""

    __slots__ = (
        "_bodies",
        "_dropped",
        "_failure",
        "_flow",
        "_heard",
        "_parts",
        "_room",
        "_since",
        "_size",
        "_waiter",
        "_waiting",
        "done",
    )

    def __init__(self, parts: list[bytes], flow: Flow, now: float, bodies: Bodies) -> None:
        self._parts = parts
        self._size = self._waiting = sum(map(len, parts))
        self._flow = flow
        self._bodies = bodies
        self._room = 0
        self._since = self._heard = now
        self._waiter: asyncio.Future[None] | None = None
        self._failure: Error | None = None
        self._dropped = False
        self.done = False
        self._find_room()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while not self._parts:
            if self._failure is not None:
                raise self._failure
            if self.done:
                raise StopAsyncIteration
            self._flow.go_on()
            await self._more()
        data = b"".join(self._parts)
        self._empty()
        return data

    async def aclose(self) -> None:
        """Nobody reads it any more: what comes yet is thrown away."""
        self.drop()

    def drop(self) -> None:
        self._dropped = True
        self._empty()

    async def arrive(self) -> None:
        """Returns when the last of it came, or it is known never to."""
        while not self.done and self._failure is None:
            await self._more()

    def feed(self, data: bytes, now: float) -> None:
        self._heard = now
        self._size += len(data)
        if self._dropped:
            return
        self._parts.append(data)
        self._waiting += len(data)
        self._find_room()
        if self._waiting > HELD:
            self._flow.hold()
        self._wake()

    def finish(self) -> None:
        self.done = True
        if self._waiting > HELD:
            # What comes after it is another's to read, and so is that the client left.
            self._flow.go_on()
        self._wake()

    def fail(self, refusal: Error) -> None:
        """The rest is not to be had; who reads on is told why."""
        self._failure = refusal
        self._wake()

    def check(self, now: float) -> None:
        """Fails a body that stands still while somebody waits for it, or drips."""
        if self._waiter is None or self._failure is not None or self._dropped:
            return
        spent = now - self._since
        if now - self._heard > IDLE_SECONDS or self._size < (spent - IDLE_SECONDS) * LEAST_RATE:
            self.fail(TooSlow())

    def _find_room(self) -> None:
        """What nobody has read takes room too; where there is none the body is refused."""
        try:
            self._room += self._bodies.take(self._waiting - self._room)
        except Overloaded as error:
            self.fail(error)
            self.drop()

    def _empty(self) -> None:
        self._parts.clear()
        self._waiting = 0
        self._bodies.give(self._room)
        self._room = 0
        if not self.done:
            self._flow.go_on()

    async def _more(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
