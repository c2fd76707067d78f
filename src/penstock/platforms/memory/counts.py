"""The two ways to count what was admitted in a window, and the shelf that forgets what no longer counts.

Times are whole microseconds of a monotonic clock, so that every comparison is exact. Both counts have two methods:
`take` adds an amount if it fits and says how the key stands, of an amount of 0 it only says that; `change` makes an amount
that was taken at a time another one, 0 to undo it.
"""

from __future__ import annotations

from array import array

MOST_KEYS = 1 << 18
"""Keys a shelf holds before it forgets those that went unused longest."""


Outcome = tuple[int, int, int]
"""The microseconds to wait (0 = added), what remains, the microseconds until all of the limit is free."""


class Log:
    """An exact sliding log: each admitted amount counts for exactly one window."""

    __slots__ = ("_entries", "_first", "_used")

    def __init__(self) -> None:
        self._entries = array("q")  # time, amount, time, amount …: 16 bytes an entry
        self._first = 0
        self._used = 0

    def take(self, now: int, window: int, limit: int, amount: int) -> Outcome:
        entries = self._entries
        if len(entries) > self._first and entries[self._first] <= now - window:
            self._expire(now - window)
        used = self._used + amount
        if used > limit or amount <= 0:
            return self._refuse(now, window, limit, amount)
        entries.append(now)
        entries.append(amount)
        self._used = used
        return 0, limit - used, window

    def change(self, at: int, window: int, amount: int, used: int) -> None:
        entries = self._entries
        place = self._place(at, amount)
        if amount and place < 0:
            return  # it no longer counts
        self._used += used - amount
        if not amount:
            entries[place:place] = array("q", (at, used) if used else ())
        elif used:
            entries[place + 1] = used
        else:
            del entries[place : place + 2]

    def _expire(self, until: int) -> None:
        entries, first, used = self._entries, self._first, self._used
        while first < len(entries) and entries[first] <= until:
            used -= entries[first + 1]
            first += 2
        if first * 2 >= len(entries):
            del entries[:first]
            first = 0
        self._first, self._used = first, used

    def _refuse(self, now: int, window: int, limit: int, amount: int) -> Outcome:
        """The outcome where nothing is added: also of an amount of nothing, which is always admitted."""
        entries, used = self._entries, self._used
        reset = entries[-2] + window - now if used else 0
        wait = self._wait(now, window, limit, amount) if amount > 0 else 0
        return wait, max(0, limit - used), reset

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
        """Where an entry of that time and amount stands, or -1; of no amount, where one would."""
        entries = self._entries
        low, high = self._first // 2, len(entries) // 2
        while low < high:
            middle = (low + high) // 2
            if entries[middle * 2] < at:
                low = middle + 1
            else:
                high = middle
        place = low * 2
        if not amount:
            return place
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

    def take(self, now: int, window: int, limit: int, amount: int) -> Outcome:
        level = self._level - (now - self._at) * limit
        level = level if level > 0 else 0
        full = limit * window
        wait = 0
        if amount > 0:
            filled = level + amount * window
            if filled <= full:
                level = filled
            else:
                wait = window if amount > limit else (filled - full + limit - 1) // limit
        self._level, self._at = level, now
        remaining = (full - level) // window if level < full else 0
        return wait, remaining, (level + limit - 1) // limit if level else 0

    def change(self, at: int, window: int, amount: int, used: int) -> None:
        self._level = max(0, self._level + (used - amount) * window)


Count = Log | Leak


class Shelf:
    """The counts of one policy by key.

    A key that went untouched for a window no longer counts: the shelf keeps two generations, each at least a
    window long, and takes the generation before them apart a few keys at a time. Beyond `most` keys in a generation
    the next begins early and the keys that went unused longest are forgotten, so memory has a bound.
    """

    __slots__ = ("_dying", "_make", "_most", "_old", "_turn_at", "window", "young")

    def __init__(self, make: type[Count], window: int, now: int, most: int = MOST_KEYS) -> None:
        self._make = make
        self._most = most
        self._turn_at = now + window
        self._old: dict[str, Count] = {}
        self._dying: dict[str, Count] = {}
        self.window = window
        self.young: dict[str, Count] = {}

    @property
    def size(self) -> int:
        return len(self.young) + len(self._old) + len(self._dying)

    def find(self, key: str) -> Count | None:
        """The count for a key, if it has one."""
        return self.young.get(key) or self._old.get(key)

    def bring(self, key: str, now: int) -> Count:
        """The count for a key that is not among the young, from now on it is."""
        for _ in range(min(2, len(self._dying))):
            self._dying.popitem()
        if not self._dying and (now >= self._turn_at or len(self.young) >= self._most):
            self._dying, self._old, self.young = self._old, self.young, {}
            self._turn_at = now + self.window
        count = self._old.pop(key, None) or self._make()
        self.young[key] = count
        return count
