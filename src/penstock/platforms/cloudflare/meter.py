"""The exact meter at the edge: counts in Durable Objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from penstock.errors import Unavailable
from penstock.platforms.cloudflare import sql, values
from penstock.ports import Demand, Denial, Lease, Standing

MOST_LOGGED = 10_000
"""The largest limit that is kept as an exact log."""
PLACE_SECONDS = 660
"""A parallel call's place, where its demand names no window, falls free after this: the longest call, and a minute."""
MILLION = 1_000_000
HELD = ("parallel", "tokens")
"""What is given back when its call ends."""
UNPREPARED = "no such table"
REMEMBERED = 1_000
"""Takes whose demands were made ready before: a caller's rates are the same each time."""

Run = tuple[str, tuple[Any, ...]]


class Taken(Lease, frozen=True):
    """A lease that knows when each of its demands was taken."""

    at: dict[int, int]


class New(msgspec.Struct):
    """The first steps of an object, which is emptied once nothing of it counts: it is looked at after so many milliseconds."""

    steps: list[Run]
    alarm: int = sql.SWEEP_MS


class Reply(msgspec.Struct):
    """What one object said: the rows of each statement, or SQLite's complaint."""

    results: list[list[Any]] = []
    error: str = ""


class Group(msgspec.Struct, frozen=True):
    """The demands of one object: which they are, and what it is asked of them; a mark's is its name."""

    where: str
    places: tuple[int, ...]
    asked: str
    is_mark: bool
    is_nothing: bool


class Answer(msgspec.Struct):
    """What one object said, by the demand's place: the waits of those refused; of those that count, how they stand."""

    group: Group
    taken: bool
    refused: dict[int, int]
    counts: dict[int, tuple[int, int, int]]


_SCHEMA: list[Run] = [*((text, ()) for text in sql.SCHEMA), (sql.LEAVE, (sql.LASTS,))]
_REPLY = msgspec.json.Decoder(Reply)


class CloudflareMeter:
    """Counts in Durable Objects, decided there by their clock, as MemoryMeter decides.

    What lies under one `{hash tag}` of its key is one object's, a caller's counts that is, and its demands are decided in
    one transaction; a mark has an object of its own. Demands of several objects are taken one object after another, and
    what was taken is given back where another refuses: still all or none, though others may see it come and go.
    Raises Unavailable where an object is out of reach: what was asked may then have been counted. What a caller that
    leaves had taken falls free by its window; an object of which nothing counts any more is emptied within a day.
    """

    def __init__(self, namespace: Any, now: Callable[[], int] | None = None) -> None:
        self._namespace = namespace
        self._now = now
        self._last = 0
        self._open: set[int] = set()

    async def take(self, demands: Sequence[Demand]) -> Lease | Denial:
        demands = tuple(demands)
        answers: list[Answer] = []
        denied = False
        for group in _groups(demands):
            answer = await self._take(group, taking=not denied)
            denied = denied or bool(answer.refused)
            answers.append(answer)
        if denied:
            return await self._deny(demands, answers)
        self._last += 1
        if any(demand.kind in HELD for demand in demands):
            self._open.add(self._last)
        at = {place: said[0] for answer in answers for place, said in answer.counts.items()}
        return Taken(self._last, demands, _standings(demands, answers), at)

    async def give(self, lease: Lease, used: int | None = None) -> None:
        """As the port says; where an object is out of reach its counts end by themselves, by their windows."""
        if not isinstance(lease, Taken):
            raise TypeError("This lease is of another meter.")
        held = any(demand.kind in HELD for demand in lease.demands)
        if held and lease.id not in self._open:
            return
        self._open.discard(lease.id)
        places = [place for place in lease.at if used is None or lease.demands[place].kind in HELD]
        try:
            await self._give(lease.demands, lease.at, places, used or 0)
        except Unavailable:
            return

    async def mark(self, key: str, until: float) -> None:
        demand = Demand("alive", "", key)
        await self._run(_object(demand), [(sql.MARK, (key, round(until * MILLION)))])

    async def _take(self, group: Group, *, taking: bool) -> Answer:
        """Takes what one object has, all of it or none; or only asks how it would stand."""
        now = self._time()
        if group.is_mark:
            wait = await self._wait(group, now)
            return Answer(group, False, dict.fromkeys(group.places, wait) if wait else {}, {})
        steps: list[Run] = [(sql.DECIDE, (now, group.asked, int(taking)))]
        if taking and not group.is_nothing:
            steps.append((sql.TAKE, (now, group.asked)))
        rows = (await self._run(group.where, steps))[0]
        refused = {place: wait for place, _, wait, _, _ in rows if wait}
        counts = {place: (at, left, reset) for place, at, _, left, reset in rows}
        return Answer(group, taking and not refused, refused, counts)

    async def _wait(self, group: Group, now: int | None) -> int:
        """How long a mark denies yet; an object that was never marked has no tables, and is given none."""
        reply = await self._send(group.where, [(sql.ALIVE, (now, group.asked))])
        if reply.error and UNPREPARED not in reply.error:
            raise _unavailable()
        return int(reply.results[0][0][0]) if reply.results and reply.results[0] else 0

    async def _deny(self, demands: tuple[Demand, ...], answers: list[Answer]) -> Denial:
        """Gives back what other objects had granted, and says how all that was asked stands without it."""
        for number, answer in enumerate(answers):
            if answer.taken:
                at = {place: said[0] for place, said in answer.counts.items()}
                await self._give(demands, at, at, 0)
                answers[number] = await self._take(answer.group, taking=False)
                answers[number].refused.clear()
        refused = {place: wait for answer in answers for place, wait in answer.refused.items()}
        waits = tuple(refused[place] / MILLION for place in sorted(refused))
        policies = tuple(demands[place].policy for place in sorted(refused))
        return Denial(policies, max(waits), _standings(demands, answers), waits)

    async def _give(
        self, demands: Sequence[Demand], at: dict[int, int], places: Iterable[int], used: int
    ) -> None:
        steps: dict[str, list[Run]] = {}
        for place in places:
            demand = demands[place]
            left = used if demand.kind == "tokens" else 0
            if left != demand.amount:
                change = self._change(demand, at[place], left)
                steps.setdefault(_object(demand), []).append(change)
        for where, changes in steps.items():
            await self._run(where, changes)

    def _change(self, demand: Demand, at: int, left: int) -> Run:
        """Makes what a demand took at that time another amount, 0 to undo it."""
        kind, count, most, micros, amount = _ask(demand)
        if kind == "g":
            return sql.REFILL, (count, (left - amount) * micros, at, most)
        if amount > 0:
            return sql.CHANGE, (str(at + micros), left - amount, count)
        return sql.LATE, (count, left, self._time(), at + micros)

    async def _run(self, where: str, steps: list[Run]) -> list[list[Any]]:
        """What the object says to these statements, all or none; a new object is given its tables first."""
        reply = await self._send(where, steps)
        if UNPREPARED in reply.error:
            reply = await self._send(where, New([*_SCHEMA, *steps]))
        if reply.error:
            raise _unavailable()
        return reply.results[-len(steps) :]

    async def _send(self, where: str, steps: list[Run] | New) -> Reply:
        text = msgspec.json.encode(steps).decode()
        try:
            return _REPLY.decode(await self._namespace.getByName(where).run(text))
        except (values.JsException, msgspec.DecodeError) as error:
            raise _unavailable() from error

    def _time(self) -> int | None:
        return None if self._now is None else self._now()


@lru_cache(maxsize=REMEMBERED)
def _groups(demands: tuple[Demand, ...]) -> tuple[Group, ...]:
    """The demands that are taken together, marks first: asking them leaves nothing to give back."""
    groups: dict[str, list[int]] = {}
    for place in sorted(range(len(demands)), key=lambda place: demands[place].kind != "alive"):
        groups.setdefault(_object(demands[place]), []).append(place)
    return tuple([_group(demands, where, places) for where, places in groups.items()])


def _group(demands: tuple[Demand, ...], where: str, places: list[int]) -> Group:
    first = demands[places[0]]
    if first.kind == "alive":
        return Group(where, tuple(places), first.key, True, True)
    turns: dict[str, int] = {}
    asked: list[tuple[str | int, ...]] = []
    for place in places:
        kind, count, *rest = _ask(demands[place])
        turn = turns[count] = turns.get(count, -1) + 1
        asked.append((place, turn, kind, count, *rest))
    is_nothing = not any(demands[place].amount > 0 for place in places)
    return Group(where, tuple(places), msgspec.json.encode(asked).decode(), False, is_nothing)


def _object(demand: Demand) -> str:
    """The name of the object that has a demand's count."""
    if demand.kind == "alive":
        return f"mark:{demand.key}"
    after = demand.key.partition("{")[2]
    tag, closed, _ = after.partition("}")
    return f"counts:{tag if closed and tag else demand.key}"


def _ask(demand: Demand) -> tuple[str, str, int, int, int]:
    """A counting demand's kind, count, limit, window in microseconds and amount."""
    kind, window = "p", 0
    if demand.kind != "parallel":
        kind, window = "l" if demand.limit <= MOST_LOGGED else "g", demand.window
    count = msgspec.json.encode((kind, demand.policy, window, demand.key)).decode()
    micros = (demand.window or (PLACE_SECONDS if kind == "p" else 0)) * MILLION
    return kind, count, demand.limit, micros, demand.amount


def _standings(demands: Sequence[Demand], answers: Sequence[Answer]) -> tuple[Standing, ...]:
    """How each rate and token demand stands, in the caller's order."""
    counts = {place: said for answer in answers for place, said in answer.counts.items()}
    return tuple(
        [
            Standing(demand.policy, demand.limit, left, reset / MILLION, demand.window)
            for place, (_, left, reset) in sorted(counts.items())
            if (demand := demands[place]).kind != "parallel"
        ]
    )


def _unavailable() -> Unavailable:
    return Unavailable("The meter cannot be reached.")
