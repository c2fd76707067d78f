"""The bytes of request bodies that are in memory at once: room is taken before one is read, by what it says it is."""

from __future__ import annotations

from penstock.errors import Overloaded
from penstock.wire.http import Request

SMALL = 16 << 10
"""Smaller ones are bounded by the number of requests."""


class Bodies:
    """Room for `most` bytes; it never waits, since who waits holds what another needs. What is held of the ones `before`
    it counts too, but not of those before them."""

    def __init__(self, most: int = 128 << 20, before: Bodies | None = None) -> None:
        self.most = most
        self._own = 0
        self._before = before
        if before is not None:
            before._before = None

    @property
    def held(self) -> int:
        return self._own if self._before is None else self._own + self._before.held

    def take(self, size: int) -> int:
        """The room taken, to be given back; raises Overloaded. One body always finds room."""
        if size <= SMALL:
            return 0
        held = self.held
        if held and held + size > self.most:
            raise Overloaded(
                "Too many large requests are being read: ask again after `retry-after`."
            )
        self._own += size
        return size

    def give(self, size: int) -> None:
        self._own -= size


def bound_of(request: Request, limit: int) -> int:
    """The most that reading a body takes: what it declares, else what it may be; nothing of one that is refused unread."""
    declared = request.header("content-length")
    if declared is None:
        return limit
    if not (declared.isascii() and declared.isdigit()):
        return 0
    size = int(declared[:20])
    return size if size <= limit else 0
