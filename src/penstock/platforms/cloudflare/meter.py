"""The exact meter at the edge: counts in Durable Objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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
DECIDES = {
    "l": (sql.LOG, sql.ADD),
    "p": (sql.PARALLEL, sql.ADD),
    "g": (sql.LEAKED, sql.LEAK, sql.FILL),
    "a": (sql.ALIVE,),
}
"""What is run for each demand of a kind, in turn."""

Run = tuple[str, tuple[Any, ...]]


class Taken(Lease, frozen=True):
    """A lease that knows its name in the objects, and when each of its demands was taken."""

    name: str
    at: dict[int, int]


class Reply(msgspec.Struct):
    """What one object said: the rows of each statement, or SQLite's complaint."""

    results: list[list[Any]] = []
    error: str = ""


class Answer(msgspec.Struct):
    """What one take said, by the demand's place: the waits of those refused; of those that count, how they stand."""

    refused: dict[int, int]
    counts: dict[int, tuple[int, int, int]]


_REPLY = msgspec.json.Decoder(Reply)


class CloudflareMeter:
    """Counts in Durable Objects, decided there by their clock, as MemoryMeter decides.

    What lies under one `{hash tag}` of its key is one object's, a caller's counts that is, and its demands are decided in
    one transaction; a mark has an object of its own. Demands of several objects are taken one object after another, and
    what was taken is given back where another refuses: still all or none, though others may see it come and go.
    Raises Unavailable where an object is out of reach: what was asked may then have been counted. What a caller that
    leaves had taken falls free by its window.
    """

    def __init__(self, namespace: Any, process: str, now: Callable[[], int] | None = None) -> None:
        self._namespace = namespace
        self._process = process
        self._now = now
        self._last = 0
        self._open: set[int] = set()

    async def take(self, demands: Sequence[Demand]) -> Lease | Denial:
        self._last += 1
        number = self._last
        name = f"{self._process}:{number}"
        taken = [(group, await self._take(name, demands, group)) for group in _groups(demands)]
        if any(answer.refused for _, answer in taken):
            return await self._deny(name, demands, taken)
        if any(demand.kind in HELD for demand in demands):
            self._open.add(number)
        at = {place: said[0] for _, answer in taken for place, said in answer.counts.items()}
        return Taken(number, tuple(demands), _standings(demands, taken), name, at)

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
            await self._give(lease.name, lease.demands, lease.at, places, used or 0)
        except Unavailable:
            return

    async def mark(self, key: str, until: float) -> None:
        demand = Demand("alive", "", key)
        await self._run(_object(demand), [(sql.MARK, (key, round(until * MILLION)))])

    async def _take(self, name: str, demands: Sequence[Demand], group: Sequence[int]) -> Answer:
        asked = [[place, *_ask(demands[place])] for place in group]
        listed = msgspec.json.encode(asked).decode()
        steps: list[Run] = [
            (sql.CLEAR, ()),
            (sql.ASK, (self._time(), name, listed)),
            (sql.EXPIRE, ()),
            *((step, (place,)) for place, kind, *_ in asked for step in DECIDES[str(kind)]),
            (sql.UNDO_ENTRIES, (name,)),
            (sql.UNDO_LEAKS, ()),
            (sql.REFUSED, ()),
            (sql.ANSWER, ()),
        ]
        *_, refused, counts = await self._run(_object(demands[group[0]]), steps)
        return Answer(
            dict(refused),
            {place: (now, remaining, reset) for place, now, _, remaining, reset in counts},
        )

    async def _deny(
        self, name: str, demands: Sequence[Demand], taken: list[tuple[list[int], Answer]]
    ) -> Denial:
        """Gives back what other objects had granted, and says how all that was asked stands without it."""
        for number, (group, answer) in enumerate(taken):
            if not answer.refused and answer.counts:
                at = {place: said[0] for place, said in answer.counts.items()}
                await self._give(name, demands, at, list(at), 0)
                nothing = [msgspec.structs.replace(demand, amount=0) for demand in demands]
                taken[number] = (group, await self._take(name, nothing, group))
        refused = {place: wait for _, answer in taken for place, wait in answer.refused.items()}
        waits = tuple(refused[place] / MILLION for place in sorted(refused))
        policies = tuple(demands[place].policy for place in sorted(refused))
        return Denial(policies, max(waits), _standings(demands, taken), waits)

    async def _give(
        self,
        name: str,
        demands: Sequence[Demand],
        at: dict[int, int],
        places: Iterable[int],
        used: int,
    ) -> None:
        steps: dict[str, list[Run]] = {}
        for place in places:
            demand = demands[place]
            left = used if demand.kind == "tokens" else 0
            change = self._change(name, demand, place, at[place], left)
            steps.setdefault(_object(demand), []).append(change)
        for where, changes in steps.items():
            await self._run(where, changes)

    def _change(self, name: str, demand: Demand, place: int, at: int, left: int) -> Run:
        """Makes what a demand took at that time another amount, 0 to undo it."""
        kind, count, _, micros, amount = _ask(demand)
        if kind == "g":
            return sql.REFILL, (left, amount, micros, count)
        if left <= 0:
            return sql.DROP, (name, place)
        if amount > 0:
            return sql.CHANGE, (left, name, place)
        return sql.LATE, (count, at, left, name, place, self._time(), micros)

    async def _run(self, where: str, steps: list[Run]) -> list[list[Any]]:
        """What the object says to these statements, all or none; a new object is given its tables first."""
        reply = await self._send(where, steps)
        if UNPREPARED in reply.error:
            reply = await self._send(where, [*((text, ()) for text in sql.SCHEMA), *steps])
        if reply.error:
            raise _unavailable()
        return reply.results

    async def _send(self, where: str, steps: list[Run]) -> Reply:
        body = msgspec.json.encode(steps).decode()
        init = values.options({"method": "POST", "body": body})
        try:
            stub = self._namespace.get(self._namespace.idFromName(where))
            answer = await stub.fetch("https://meter/", init)
            return _REPLY.decode(str(await answer.text()))
        except (values.JsException, msgspec.DecodeError) as error:
            raise _unavailable() from error

    def _time(self) -> int | None:
        return None if self._now is None else self._now()


def _groups(demands: Sequence[Demand]) -> list[list[int]]:
    """The places of the demands that are taken together, marks first: asking them leaves nothing to give back."""
    groups: dict[str, list[int]] = {}
    for place in sorted(range(len(demands)), key=lambda place: demands[place].kind != "alive"):
        groups.setdefault(_object(demands[place]), []).append(place)
    return list(groups.values())


def _object(demand: Demand) -> str:
    """The name of the object that has a demand's count."""
    if demand.kind == "alive":
        return f"mark:{demand.key}"
    after = demand.key.partition("{")[2]
    tag, closed, _ = after.partition("}")
    return f"counts:{tag if closed and tag else demand.key}"


def _ask(demand: Demand) -> tuple[str, str, int, int, int]:
    """A demand's kind, count, limit, window in microseconds and amount."""
    if demand.kind == "alive":
        return "a", demand.key, 0, 0, 0
    kind, window = "p", 0
    if demand.kind != "parallel":
        kind, window = "l" if demand.limit <= MOST_LOGGED else "g", demand.window
    count = msgspec.json.encode((kind, demand.policy, window, demand.key)).decode()
    micros = (demand.window or (PLACE_SECONDS if kind == "p" else 0)) * MILLION
    return kind, count, demand.limit, micros, demand.amount


def _standings(
    demands: Sequence[Demand], taken: Iterable[tuple[list[int], Answer]]
) -> tuple[Standing, ...]:
    """How each rate and token demand stands, in the caller's order."""
    counts = {place: said for _, answer in taken for place, said in answer.counts.items()}
    return tuple(
        Standing(
            demands[place].policy,
            demands[place].limit,
            counts[place][1],
            counts[place][2] / MILLION,
            demands[place].window,
        )
        for place in sorted(counts)
        if demands[place].kind != "parallel"
    )


def _unavailable() -> Unavailable:
    return Unavailable("The meter cannot be reached.")
