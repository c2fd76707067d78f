"""The pool's decisions, against a plain account of what has been asked of it."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from penstock.platforms.http.pool import Pool
from penstock.platforms.target import Origin

ORIGINS = [Origin(False, "a", 80), Origin(True, "a", 443), Origin(False, "b", 80)]
LIMIT, MOST_WAITING = 3, 2
origins = st.sampled_from(ORIGINS)


class Places(RuleBasedStateMachine):
    """Connections are numbers; `kept` and `queue` say what the pool should know."""

    def __init__(self) -> None:
        super().__init__()
        self.pool: Pool[int, int] = Pool(LIMIT, MOST_WAITING)
        self.now = 0.0
        self.numbers = iter(range(1_000_000))
        self.busy: list[int] = []
        self.kept: list[tuple[Origin, int, float]] = []  # oldest first
        self.queue: list[int] = []
        self.owed: list[int] = []  # tickets that hold a place without a connection yet

    @property
    def places(self) -> int:
        return len(self.busy) + len(self.owed)

    @rule(origin=origins)
    def request(self, origin: Origin) -> None:
        entered = self.pool.enter()
        assert entered == (self.places < LIMIT)
        if entered:
            self.connect(origin)
            return
        ticket = next(self.numbers)
        assert self.pool.queue(ticket) == (len(self.queue) < MOST_WAITING)
        if len(self.queue) < MOST_WAITING:
            self.queue.append(ticket)

    def connect(self, origin: Origin) -> None:
        """Uses a place already held: the newest kept connection, or a new one in its stead."""
        mine = [entry for entry in self.kept if entry[0] == origin]
        taken = self.pool.take(origin, self.now)
        expected = mine[-1] if mine and mine[-1][2] > self.now else None
        assert taken == (expected[1] if expected else None)
        if expected is not None:
            self.kept.remove(expected)
        self.busy.append(next(self.numbers) if taken is None else taken)
        self.make_room()

    def make_room(self) -> None:
        surplus = self.pool.surplus()
        assert (surplus is None) == (self.places + len(self.kept) <= LIMIT)
        if surplus is not None:
            [entry] = [entry for entry in self.kept if entry[1] == surplus]
            same = [other for other in self.kept if other[0] == entry[0]]
            assert entry == same[0]
            self.pool.forget(entry[0], surplus)
            self.kept.remove(entry)

    @precondition(lambda self: self.busy)
    @rule(origin=origins, seconds=st.floats(0.1, 20), which=st.integers(0))
    def finish(self, origin: Origin, seconds: float, which: int) -> None:
        connection = self.busy.pop(which % len(self.busy))
        self.pool.keep(origin, connection, self.now + seconds)
        self.kept.append((origin, connection, self.now + seconds))
        self.leave()

    @precondition(lambda self: self.busy)
    @rule(which=st.integers(0))
    def lose(self, which: int) -> None:
        self.busy.pop(which % len(self.busy))
        self.leave()

    def leave(self) -> None:
        ticket = self.pool.leave()
        assert ticket == (self.queue[0] if self.queue else None)
        if ticket is not None:
            self.owed.append(self.queue.pop(0))

    @precondition(lambda self: self.owed)
    @rule(origin=origins)
    def turn(self, origin: Origin) -> None:
        self.owed.pop(0)
        self.connect(origin)

    @precondition(lambda self: self.queue)
    @rule(which=st.integers(0))
    def give_up(self, which: int) -> None:
        self.pool.unqueue(self.queue.pop(which % len(self.queue)))

    @precondition(lambda self: self.kept)
    @rule(which=st.integers(0))
    def closed_by_peer(self, which: int) -> None:
        origin, connection, _ = self.kept.pop(which % len(self.kept))
        self.pool.forget(origin, connection)
        self.pool.forget(origin, connection)

    @rule(seconds=st.floats(0, 10))
    def sweep(self, seconds: float) -> None:
        self.now += seconds
        over = self.pool.expired(self.now)
        assert sorted(over) == sorted(c for _, c, until in self.kept if until <= self.now)
        for origin, connection, until in list(self.kept):
            if until <= self.now:
                self.pool.forget(origin, connection)
                self.kept.remove((origin, connection, until))
        assert self.pool.next_expiry() == min((until for *_, until in self.kept), default=None)

    @rule()
    def dismiss(self) -> None:
        assert self.pool.dismiss() == self.queue
        self.queue.clear()

    @invariant()
    def counts(self) -> None:
        assert self.pool.busy == self.places <= LIMIT
        assert self.pool.idle == len(self.kept)
        assert self.pool.waiting == len(self.queue) <= MOST_WAITING


TestPlaces = Places.TestCase
