"""How many young requests the event loop keeps up with, learned from how late it is: a state machine without a clock."""

from __future__ import annotations

LATE_SECONDS = 0.03
"""So late is too late: each step of a request waits so long for its turn, and a request has about five."""
FLOOR = 64
"""Fewer at once would leave the loop idle between two of them."""
START = 1_024
PRESSED = 0.7
"""The limit only grows while so much of it is in use: what nobody tried is not known to be good."""


class Pace:
    """Grows by an eighth a beat while the loop is in time, and falls by a tenth while it is late."""

    __slots__ = ("_most", "limit", "others")

    def __init__(self, most: int) -> None:
        self._most = most
        self._set(START)

    def bound(self, most: int) -> None:
        """Sets the most that the limit can be."""
        self._most = most
        self._set(self.limit)

    def rest(self) -> None:
        """The load is over, and what it taught with it."""
        self._set(max(self.limit, START))

    def beat(self, young: int, late: float) -> None:
        """Learns from one beat: how many were young, and by how many seconds it came late."""
        if late > LATE_SECONDS:
            self._set(min(self.limit, young * 5 // 4) * 9 // 10)
        elif late < LATE_SECONDS / 2 and young >= self.limit * PRESSED:
            self._set(self.limit + self.limit // 8)

    def _set(self, limit: int) -> None:
        self.limit = min(max(limit, FLOOR), self._most)
        self.others = self.limit - self.limit // 5
        """What remains for others than the operator."""
