"""Which connection to reuse, which to close, who waits: decisions about connections, without touching them."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from penstock.platforms.target import Origin

C = TypeVar("C")
T = TypeVar("T")


class Pool(Generic[C, T]):
    """`C` is a connection, `T` the ticket of someone who waits for a place.

    A place is the right to one busy connection; there are `limit` of them, and never more connections than that, kept
    ones included. A place given up goes straight to who has waited longest.
    """

    def __init__(self, limit: int, most_waiting: int) -> None:
        self.limit = limit
        self.most_waiting = most_waiting
        self.busy = 0
        self.idle = 0
        self._kept: dict[Origin, dict[C, float]] = {}
        self._waiting: deque[T] = deque()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def enter(self) -> bool:
        """Takes a place if one is free."""
        if self.busy >= self.limit:
            return False
        self.busy += 1
        return True

    def queue(self, ticket: T) -> bool:
        """Waits for a place unless too many do already."""
        if len(self._waiting) >= self.most_waiting:
            return False
        self._waiting.append(ticket)
        return True

    def unqueue(self, ticket: T) -> None:
        """Waits no longer."""
        if ticket in self._waiting:
            self._waiting.remove(ticket)

    def dismiss(self) -> list[T]:
        """Ends the queue; those who were in it get no place."""
        dismissed = list(self._waiting)
        self._waiting.clear()
        return dismissed

    def leave(self) -> T | None:
        """Gives up a place: to the ticket returned, whose owner now holds it, or to nobody."""
        if self._waiting:
            return self._waiting.popleft()
        self.busy -= 1
        return None

    def take(self, origin: Origin, now: float) -> C | None:
        """The connection to an origin that was used last, unless its time is over."""
        kept = self._kept.get(origin)
        if not kept:
            return None
        connection, until = kept.popitem()
        if until <= now:
            kept[connection] = until  # left to `expired`
            return None
        self.idle -= 1
        return connection

    def keep(self, origin: Origin, connection: C, until: float) -> None:
        """Keeps a connection that has become idle."""
        kept = self._kept.get(origin)
        if kept is None:
            kept = self._kept[origin] = {}
        kept[connection] = until
        self.idle += 1

    def forget(self, origin: Origin, connection: C) -> None:
        """A kept connection has closed."""
        if self._kept.get(origin, {}).pop(connection, None) is not None:
            self.idle -= 1

    def surplus(self) -> C | None:
        """The connection to close so that busy and kept ones stay within the limit: the one kept longest."""
        if self.busy + self.idle <= self.limit:
            return None
        oldest = [next(iter(kept.items())) for kept in self._kept.values() if kept]
        return min(oldest, key=lambda item: item[1])[0] if oldest else None

    def expired(self, now: float) -> list[C]:
        """Connections whose time is over; origins without connections are forgotten."""
        over = [c for kept in self._kept.values() for c, until in kept.items() if until <= now]
        self._kept = {origin: kept for origin, kept in self._kept.items() if kept}
        return over

    def next_expiry(self) -> float | None:
        """When the next kept connection's time is over."""
        return min((until for kept in self._kept.values() for until in kept.values()), default=None)
