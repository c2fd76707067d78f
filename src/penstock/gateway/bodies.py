"""The bytes of request bodies that are in memory at once: room is taken before one is read, by what it says it is."""

from __future__ import annotations

from penstock.errors import Overloaded
from penstock.wire.http import Request

SMALL = 16 << 10
"""Smaller ones are bounded by the number of requests."""


class Bodies:
    """Room for `most` bytes; it never waits, since who waits holds what another needs."""

    def __init__(self, most: int = 128 << 20) -> None:
        self.most = most
        self.held = 0

    def take(self, size: int) -> int:
        """The room taken, to be given back; raises Overloaded. One body always finds room."""
        if size <= SMALL:
            return 0
        if self.held and self.held + size > self.most:
            raise Overloaded(
                "Too many large requests are being read: ask again after `retry-after`."
            )
        self.held += size
        return size

    def give(self, size: int) -> None:
        self.held -= size


def bound_of(request: Request, limit: int) -> int:
    """The most that reading a body takes: what it declares, else what it may be; nothing of one that is refused unread."""
    declared = request.header("content-length")
    if declared is None:
        return limit
    if not (declared.isascii() and declared.isdigit()):
        return 0
    size = int(declared[:20])
    return size if size <= limit else 0
