"""The exact meter, in this process."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.platforms.memory.counts import MOST_KEYS, Leak, Log, Shelf
from penstock.ports import Clock, Demand, Denial, Lease, Standing

MOST_LOGGED = 10_000
"""The largest limit that is kept as an exact log."""
BUSY_SECONDS = 1.0
"""The wait named for a refused parallel call: nobody knows when one of the others ends."""


class Taken(Lease, frozen=True):
    """A lease that knows when it was taken, in microseconds of the meter's clock."""

    at: int


class MemoryMeter:
    """Counts that decide, on one event loop: a take runs from start to end without a wait.

    A count belongs to a policy, window and key; a key whose limit passes from 10,000 or below to above it, or
    back, begins a new one. An amount above its limit is never admitted; its wait is the window. `standings` has an
    entry for each rate and token demand, in their order, as its count stands once it is taken.
    """

    def __init__(self, clock: Clock, *, most_keys: int = MOST_KEYS) -> None:
        self._clock = clock
        self._tick = clock.tick
        self._most_keys = most_keys
        self._logs: dict[tuple[str, int], Shelf] = {}
        self._leaks: dict[tuple[str, int], Shelf] = {}
        self._busy: dict[tuple[str, str], int] = {}
        self._marks: dict[str, float] = {}
        self._sweep_at = 1024
        self._last = 0
        self._open: set[int] = set()

    async def take(self, demands: Sequence[Demand]) -> Lease | Denial:
        return self.decide(demands)

    async def give(self, lease: Lease, used: int | None = None) -> None:
        """As the port says; a second call for a lease that holds parallel calls or tokens does nothing."""
        if not isinstance(lease, Taken):
            raise TypeError("This lease is of another meter.")
        if any(demand.kind in ("parallel", "tokens") for demand in lease.demands):
            if lease.id not in self._open:
                return
            self._open.remove(lease.id)
        for demand in lease.demands:
            if used is None or demand.kind == "parallel":
                self._change(demand, lease.at, 0)
            elif demand.kind == "tokens":
                self._change(demand, lease.at, used)

    async def mark(self, key: str, until: float) -> None:
        self._marks[key] = until
        if len(self._marks) >= self._sweep_at:
            now = self._clock.now()
            self._marks = {key: until for key, until in self._marks.items() if until > now}
            self._sweep_at = 2 * len(self._marks) + 1024

    def decide(self, demands: Sequence[Demand]) -> Lease | Denial:
        """`take` as a plain function."""
        now = int(self._tick() * 1e6 + 0.5)
        standings: list[Standing] = []
        waits: list[float] = []
        held = False
        for demand in demands:
            kind = demand.kind
            if kind in ("rate", "tokens"):
                held = held or kind == "tokens"
                wait, standing = self._count(demand, now, demand.amount)
                standings.append(standing)
            elif kind == "alive":
                wait = self._revoked(demand.key) if self._marks else 0.0
            else:
                held, wait = True, self._occupy(demand)
            waits.append(wait)
        if any(waits):
            return self._deny(demands, waits, now)
        self._last += 1
        if held:
            self._open.add(self._last)
        return Taken(self._last, tuple(demands), tuple(standings), now)

    def _count(self, demand: Demand, now: int, amount: int) -> tuple[float, Standing]:
        policy, limit, window, key = demand.policy, demand.limit, demand.window, demand.key
        shelves = self._logs if limit <= MOST_LOGGED else self._leaks
        shelf = shelves.get((policy, window)) or self._new_shelf(demand, now)
        count = shelf.young.get(key) or shelf.bring(key, now)
        wait, remaining, reset = count.take(now, shelf.window, limit, amount)
        return wait / 1e6, Standing(policy, limit, remaining, reset / 1e6, window)

    def _new_shelf(self, demand: Demand, now: int) -> Shelf:
        logged = demand.limit <= MOST_LOGGED
        shelf = Shelf(Log if logged else Leak, demand.window * 1_000_000, now, self._most_keys)
        (self._logs if logged else self._leaks)[demand.policy, demand.window] = shelf
        return shelf

    def _deny(self, demands: Sequence[Demand], waits: list[float], now: int) -> Denial:
        """Gives back what was taken, and says how all stands without it."""
        for demand, wait in zip(demands, waits, strict=True):
            if not wait:
                self._change(demand, now, 0)
        refused = [(d.policy, wait) for d, wait in zip(demands, waits, strict=True) if wait]
        counted = [demand for demand in demands if demand.kind in ("rate", "tokens")]
        return Denial(
            tuple(policy for policy, _ in refused),
            max(waits),
            tuple(self._count(demand, now, 0)[1] for demand in counted),
            tuple(wait for _, wait in refused),
        )

    def _change(self, demand: Demand, at: int, used: int) -> None:
        """Makes what a demand took at that time another amount, 0 to undo it."""
        if demand.kind == "parallel":
            self._vacate(demand)
        elif demand.kind != "alive":
            shelves = self._logs if demand.limit <= MOST_LOGGED else self._leaks
            shelf = shelves.get((demand.policy, demand.window))
            count = shelf.find(demand.key) if shelf is not None else None
            if shelf is not None and count is not None:
                count.change(at, shelf.window, demand.amount, used)

    def _revoked(self, key: str) -> float:
        """Seconds until a key is good again, 0 if it is good."""
        until = self._marks.get(key)
        return max(0.0, until - self._clock.now()) if until is not None else 0.0

    def _occupy(self, demand: Demand) -> float:
        key = (demand.policy, demand.key)
        busy = self._busy.get(key, 0) + demand.amount
        if busy > demand.limit:
            return BUSY_SECONDS
        self._busy[key] = busy
        return 0.0

    def _vacate(self, demand: Demand) -> None:
        key = (demand.policy, demand.key)
        busy = self._busy.get(key, 0) - demand.amount
        if busy > 0:
            self._busy[key] = busy
        else:
            self._busy.pop(key, None)
