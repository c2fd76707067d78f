"""Who may begin: as many requests at once as the event loop keeps up with; the others wait a moment or are refused."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from penstock.errors import Overloaded
from penstock.gateway.pace import Pace
from penstock.ports import Clock, Ids, Spawn

WAIT_SECONDS = 1.0
"""How long a request may wait for a slot; so late a refusal also holds back who asks again at once."""
BEAT_SECONDS = 0.02
HALF_SECONDS = 0.5
"""A queue whose oldest has waited so long will not serve all of them in time: from then on the newest goes first."""
EARLY_SHARE = 50
"""One in so many of it is then refused a beat: all who came together must not go together, for they would come together again."""
COHORT_SECONDS = 0.25
COHORTS = 4
"""A request is young for as many cohorts: a second. Later it waits for its target and costs next to nothing."""
CALM = 32
"""With so few young requests nothing is measured."""
SOONEST_SECONDS = 2
SPREAD_SECONDS = 3
"""Refused callers are told to come back in 2, 3 or 4 seconds: not all at once."""
MOST_WAITING = 1 << 14
"""Far above the connections a server takes, of which each waits with one request at most."""

Leave = Callable[[], None]
"""Gives a slot back; called once."""
Waiter = tuple[float, "asyncio.Future[Leave | None]"]
"""When it is refused, and what it is given: a slot, or None."""


class Admission:
    """Slots for requests, a fifth of them for the operator's own.

    Two bounds hold: `most` for all that run, for the memory they take, and a pace for the young, for the time they take.
    """

    def __init__(self, clock: Clock, ids: Ids, spawn: Spawn, most: int = 4_096) -> None:
        self._clock = clock
        self._ids = ids
        self._spawn = spawn
        self.pace = Pace(most)
        self.refused = 0
        """Requests that got no slot, since start."""
        self.running = self.young = 0
        self._others = self._young_others = 0  # of those two, the ones that are not the operator's
        self._queue: deque[Waiter] = deque()
        self._first: deque[Waiter] = deque()  # the operator's
        self._cohort = Cohort(self)
        self._cohorts: deque[Cohort] = deque([self._cohort])
        self._turn_at = 0.0
        self._newest_first = self._beating = False
        self.bound(most)

    @property
    def waiting(self) -> int:
        return len(self._queue) + len(self._first)

    def bound(self, most: int) -> None:
        """Sets how many requests may run at once; those that do already go on."""
        self._most, self._most_others = most, most - most // 5
        self.pace.bound(most)

    def begin(self, first: bool) -> Leave | None:
        """A slot if one is free; `first` says that it is the operator's request."""
        if self._first or (self._queue and not first) or not self._room(first):
            return None
        if self.young >= CALM and not self._beating:
            self._start()
        return self._give(first)

    async def wait(self, first: bool) -> Leave:
        """A slot after a moment, where `begin` gave none; raises Overloaded."""
        queue = self._first if first else self._queue
        if len(queue) >= MOST_WAITING:
            raise self._refusal()
        place: asyncio.Future[Leave | None] = asyncio.get_running_loop().create_future()
        queue.append((self._clock.tick() + WAIT_SECONDS, place))
        if not self._beating:
            self._start()
        try:
            given = await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and (given := place.result()) is not None:
                given()  # it was given a slot in the moment in which it left
            raise
        if given is None:
            raise self._refusal()
        return given

    def beat(self, late: float, now: float) -> None:
        """What is done every BEAT_SECONDS under load; `late` is by how much the event loop missed it."""
        self.pace.beat(self.young, late)
        if now >= self._turn_at:
            self._turn_at = now + COHORT_SECONDS
            self._age()
        for queue in (self._first, self._queue):
            _refuse(queue, now)
        oldest = self._queue[0][0] - WAIT_SECONDS if self._queue else now
        self._newest_first = now - oldest > HALF_SECONDS
        self._call()

    def _room(self, first: bool) -> bool:
        if self.young >= self.pace.limit or self.running >= self._most:
            return False
        return first or (self._young_others < self.pace.others and self._others < self._most_others)

    def _give(self, first: bool) -> Leave:
        cohort = self._cohort
        self.running += 1
        self.young += 1
        cohort.here += 1
        if first:
            return cohort.leave
        self._others += 1
        self._young_others += 1
        cohort.others += 1
        return cohort.leave_other

    def left(self, cohort: Cohort, others: int) -> None:
        """One of a cohort has ended; who waits may have its slot."""
        self.running -= 1
        self._others -= others
        if cohort.young:
            self.young -= 1
            self._young_others -= others
        if self._queue or self._first:
            self._call()

    def _call(self) -> None:
        """Gives what slots are free to who waits."""
        while self._first and self._room(True):
            self._hand(self._first.popleft(), True)
        while self._queue and self._room(False):
            newest = self._newest_first
            self._hand(self._queue.pop() if newest else self._queue.popleft(), False)

    def _hand(self, waiter: Waiter, first: bool) -> None:
        if not waiter[1].done():
            waiter[1].set_result(self._give(first))

    def _age(self) -> None:
        self._cohort = Cohort(self)
        self._cohorts.append(self._cohort)
        if len(self._cohorts) > COHORTS:
            old = self._cohorts.popleft()
            old.young = False
            self.young -= old.here
            self._young_others -= old.others

    def _refusal(self) -> Overloaded:
        self.refused += 1
        seconds = SOONEST_SECONDS + int(self._ids.fraction() * SPREAD_SECONDS)
        return Overloaded(headers=(("retry-after", str(seconds)),))

    def _start(self) -> None:
        self._beating = True
        self._spawn(self._run())

    async def _run(self) -> None:
        """Beats until it is calm again."""
        clock = self._clock
        try:
            while self.young >= CALM or self.waiting:
                before = clock.tick()
                await clock.sleep(BEAT_SECONDS)
                now = clock.tick()
                self.beat(now - before - BEAT_SECONDS, now)
            self.pace.rest()
        finally:
            self._beating = False
            for _, place in (*self._first, *self._queue):
                if not place.done():
                    place.set_result(None)
            self._first.clear()
            self._queue.clear()


def _refuse(queue: deque[Waiter], now: float) -> None:
    """Tells those whose time is over, and some of those whose time is half over."""
    early = -(-len(queue) // EARLY_SHARE)
    while queue:
        until, place = queue[0]
        if not place.done():
            if now < until - (WAIT_SECONDS - HALF_SECONDS if early > 0 else 0.0):
                return
            place.set_result(None)
            early -= 1
        queue.popleft()


class Cohort:
    """The requests that began in the same quarter of a second."""

    __slots__ = ("_admission", "here", "others", "young")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.here = self.others = 0
        self.young = True

    def leave(self) -> None:
        self.here -= 1
        self._admission.left(self, 0)

    def leave_other(self) -> None:
        self.here -= 1
        self.others -= 1
        self._admission.left(self, 1)
