"""One request as its connection brings it."""

from __future__ import annotations

import asyncio

from penstock.entry.body import Body
from penstock.errors import Error, Overloaded
from penstock.gateway.bodies import Bodies
from penstock.wire.http import Request

LINGER_SECONDS = 2.0
"""How long the rest of a refused body is read and thrown away, so that its sender gets to see the refusal."""


class Incoming:
    """A request that has begun to arrive; `refusal` where it is not one."""

    __slots__ = ("arriving", "chunked", "keep", "parts", "refusal", "request", "room", "whole")

    def __init__(self, request: Request, *, keep: bool, chunked: bool) -> None:
        self.request = request
        self.keep = keep
        self.chunked = chunked
        self.parts: list[bytes] = []
        self.arriving: Body | None = None
        self.whole = False
        self.refusal: Error | None = None
        self.room = 0

    def fill(self, body: bytes, bodies: Bodies) -> None:
        """Its body came whole; it is refused where there is no room for it."""
        try:
            self.room = bodies.take(len(body))
            self.request.body = body
        except Overloaded as error:
            self.refusal = error

    def let_go(self, bodies: Bodies) -> None:
        """It is answered, or never will be: nobody reads its body any more."""
        room, self.room = self.room, 0
        bodies.give(room)
        if self.arriving is not None:
            self.arriving.drop()

    async def linger(self) -> None:
        """Reads what is left of its body for a moment: closing at once would take the reply from its sender."""
        body = self.arriving
        if body is None:
            return
        await body.aclose()
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                await body.arrive()
        except TimeoutError:
            return
