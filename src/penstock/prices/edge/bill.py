"""A month at the edge: what the paid plan would bill for it, and how much of the free plan it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from penstock.prices.edge.table import LINES, Allotment, Line

Used = Mapping[str, int]
"""Units by the names of the table's lines."""


class Charge(Struct, frozen=True):
    """One line of the paid plan's bill for a month: `over` is what was used beyond what is included."""

    line: Line
    used: int
    over: int
    nanos: int


class Limit(Struct, frozen=True):
    """How one line of the free plan stands: `used` on the busiest day, in the month or altogether, as it is allotted."""

    line: Line
    used: int
    free: Allotment

    @property
    def left(self) -> int:
        """Below zero where it did not suffice."""
        return self.free.units - self.used


def charges(days: Sequence[Used]) -> tuple[Charge, ...]:
    """The lines that were used, of a month of these days; what is stored is each day's growth, kept from then on."""
    found = []
    for line in LINES:
        used = sum(day.get(line.name, 0) for day in days)
        if used:
            over = _over(line, [day.get(line.name, 0) for day in days])
            found.append(Charge(line, used, over, _price(line, over)))
    return tuple(found)


def limits(days: Sequence[Used]) -> tuple[Limit, ...]:
    """The free plan's lines that were used, the one nearest to its end first."""
    found = []
    for line in LINES:
        taken = [day.get(line.name, 0) for day in days]
        if line.free is not None and any(taken):
            used = max(taken) if line.free.each == "day" else sum(taken)
            found.append(Limit(line, used, line.free))
    return tuple(
        sorted(found, key=lambda one: (-one.used * _LARGE // one.free.units, one.line.name))
    )


def runs_out(asks: int, takes: Used, daily: Used, days: int) -> tuple[tuple[Line, int], ...]:
    """How many requests a day each line of the free plan allows, the fewest first.

    `takes` is what a mix of so many `asks` takes, `daily` what each day takes beside them. What is stored fills in time,
    whatever the number, so it is not among them.
    """
    found = []
    for line in LINES:
        if line.free is None or line.free.each == "ever" or not takes.get(line.name):
            continue
        a_day = line.free.units if line.free.each == "day" else line.free.units // days
        room = max(0, a_day - daily.get(line.name, 0))
        found.append((line, room * asks // takes[line.name]))
    return tuple(sorted(found, key=lambda one: (one[1], one[0].name)))


_LARGE = 1 << 32


def _over(line: Line, taken: Sequence[int]) -> int:
    if line.paid.each == "day":
        return sum(max(0, day - line.paid.units) for day in taken)
    return max(0, sum(taken) - line.paid.units)


def _price(line: Line, over: int) -> int:
    """Exact, rounded up once; by whole `per` where Cloudflare bills so."""
    if line.whole:
        return -(-over // line.per) * line.nanos
    return -(-over * line.nanos // line.per)
