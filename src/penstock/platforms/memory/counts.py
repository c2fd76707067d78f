"""The two ways to count what was admitted in a window, and the shelf that forgets what no longer counts.

Times are whole microseconds of a monotonic clock, so that every comparison is exact. Both counts have three methods:
`take` adds an amount and returns 0, or adds nothing and returns the microseconds to wait; `change` makes an amount that was
taken another one, 0 to undo it; `standing` tells what remains and the microseconds until all of the limit is free.
"""

from __future__ import annotations

from array import array
from typing import Generic, TypeVar

MOST_KEYS = 1 << 18
"""Keys a shelf holds before it forgets those that went unused longest."""


class Log:
    """An exact sliding log: each admitted amount counts for exactly one window."""

    __slots__ = ("_entries", "_first", "_used")

    def __init__(self) -> None:
        self._entries = array("q")  # time, amount, time, amount …: 16 bytes an entry
        self._first = 0
        self._used = 0

    def take(self, now: int, window: int, limit: int, amount: int) -> int:
        entries = self._entries
        if len(entries) > self._first and entries[self._first] <= now - window:
            self._expire(now - window)
        if amount <= 0:
            return 0
        if self._used + amount > limit:
            return self._wait(now, window, limit, amount)
        entries.append(now)
        entries.append(amount)
        self._used += amount
        return 0

    def change(self, at: int, window: int, amount: int, used: int) -> None:
        entries = self._entries
        place = self._place(at, amount)
        if place < 0 or amount == used:
            return
        self._used += used - amount
        if used:
            entries[place + 1] = used
        else:
            del entries[place : place + 2]

    def standing(self, now: int, window: int, limit: int) -> tuple[int, int]:
        entries = self._entries
        if len(entries) > self._first and entries[self._first] <= now - window:
            self._expire(now - window)
        if not self._used:
            return limit, 0
        remaining = limit - self._used
        return remaining if remaining > 0 else 0, entries[-2] + window - now

    def _expire(self, until: int) -> None:
        entries, first, used = self._entries, self._first, self._used
        while first < len(entries) and entries[first] <= until:
            used -= entries[first + 1]
            first += 2
        if first * 2 >= len(entries):
            del entries[:first]
            first = 0
        self._first, self._used = first, used

    def _wait(self, now: int, window: int, limit: int, amount: int) -> int:
        if amount > limit:
            return window
        entries, place = self._entries, self._first
        excess = self._used + amount - limit
        while True:
            excess -= entries[place + 1]
            if excess <= 0:
                return entries[place] + window - now
            place += 2

    def _place(self, at: int, amount: int) -> int:
        """Where an entry of that time and amount stands, or -1."""
        entries = self._entries
        low, high = self._first // 2, len(entries) // 2
        while low < high:
            middle = (low + high) // 2
            if entries[middle * 2] < at:
                low = middle + 1
            else:
                high = middle
        place = low * 2
        while place < len(entries) and entries[place] == at:
            if entries[place + 1] == amount:
                return place
            place += 2
        return -1


class Leak:
    """A GCRA with burst = limit, in whole numbers: an amount weighs `window`, `limit` leaks out a microsecond."""

    __slots__ = ("_at", "_level")

    def __init__(self) -> None:
        self._level = 0
        self._at = 0

    def take(self, now: int, window: int, limit: int, amount: int) -> int:
        if amount <= 0:
            return 0
        level = self._leak(now, limit) + amount * window
        excess = level - limit * window
        if excess > 0:
            return window if amount > limit else -(-excess // limit)
        self._level = level
        return 0

    def change(self, at: int, window: int, amount: int, used: int) -> None:
        self._level = max(0, self._level + (used - amount) * window)

    def standing(self, now: int, window: int, limit: int) -> tuple[int, int]:
        level = self._leak(now, limit)
        return max(0, limit - -(-level // window)), -(-level // limit)

    def _leak(self, now: int, limit: int) -> int:
        level = self._level - (now - self._at) * limit
        self._level = level = level if level > 0 else 0
        self._at = now
        return level


C = TypeVar("C", Log, Leak)


class Shelf(Generic[C]):
    """The counts of one policy by key.

    A key that went untouched for a window no longer counts: the shelf keeps two generations, each at least a
    window long, and takes the generation before them apart a few keys at a time. Beyond `most` keys in a generation
    the next begins early and the keys that went unused longest are forgotten, so memory has a bound.
    """

    __slots__ = ("_dying", "_make", "_most", "_old", "_turn_at", "_window", "_young")

    def __init__(self, make: type[C], window: int, now: int, most: int = MOST_KEYS) -> None:
        self._make: type[C] = make
        self._window = window
        self._most = most
        self._turn_at = now + window
        self._young: dict[str, C] = {}
        self._old: dict[str, C] = {}
        self._dying: dict[str, C] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old) + len(self._dying)

    def count(self, key: str, now: int) -> C:
        """The count for a key, a new one if it has none."""
        count = self._young.get(key)
        return count if count is not None else self._bring(key, now)

    def find(self, key: str) -> C | None:
        """The count for a key, if it has one."""
        return self._young.get(key) or self._old.get(key)

    def _bring(self, key: str, now: int) -> C:
        for _ in range(min(2, len(self._dying))):
            self._dying.popitem()
        if not self._dying and (now >= self._turn_at or len(self._young) >= self._most):
            self._dying, self._old, self._young = self._old, self._young, {}
            self._turn_at = now + self._window
        count = self._old.pop(key, None) or self._make()
        self._young[key] = count
        return count
