"""One request as its connection brings it."""

from __future__ import annotations

from penstock.entry.body import Body
from penstock.errors import Error, Overloaded
from penstock.gateway.bodies import Bodies
from penstock.wire.http import Request


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
