"""Whether a router may be switched on: yes only where labels show that it keeps the quality, saves, and beats chance.

Shares of strong calls are tried from all of them down, and the first that fails ends the trial, so that many may be tried without
the certainty of 95 % being spent on it (fixed-sequence testing).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from penstock.routing.fit import CERTAIN, cuts, kept
from penstock.routing.labels import Row
from penstock.routing.recovered import Interval, ranked
from penstock.routing.router import POINTS

TWO_SIDED = 1.96


class Certificate(Struct, frozen=True):
    """The answer, with what it rests on; `saving` is of cost where every row has both, else of strong calls."""

    certified: bool
    reason: str
    target: float
    quality: Interval
    least: float
    """The quality with 95 % certainty, one-sided."""
    strong_share: float
    saving: Interval
    saving_of: str
    over_chance: Interval
    rows: int


def certify(rows: Sequence[Row], scores: Sequence[float], target: float) -> Certificate:
    """For scores of rows that the router did not learn from, and a quality from 0 to 1 of the strong target's."""
    order, _ = ranked(scores)
    at = POINTS - 1
    places = cuts(len(rows))
    while at and kept(order, rows, places[at - 1]).least >= target:
        at -= 1
    cut = places[at]
    found = kept(order, rows, cut)
    saving, of = _saving(order, rows, cut)
    over = _around(found.over_chance, found.chance_error)
    reason = _why_not(cut, len(rows), found.over_chance - CERTAIN * found.chance_error, saving)
    return Certificate(
        not reason,
        reason
        or ("the weak target alone keeps it" if not cut else "it keeps the quality and saves"),
        target,
        _around(found.quality, found.error),
        found.least,
        cut / len(rows),
        saving,
        of,
        over,
        len(rows),
    )


def _why_not(cut: int, rows: int, over_chance: float, saving: Interval) -> str:
    if cut == rows:
        return "no share of weak calls keeps that quality with 95 % certainty: more labels, a lower quality or a better weak target"
    if saving.low <= 0:
        return "it does not save"
    if cut and over_chance <= 0:
        return "it is not shown to be better than as many strong calls by chance: more labels are needed"
    return ""


def _saving(order: Sequence[int], rows: Sequence[Row], cut: int) -> tuple[Interval, str]:
    """The part of the all-strong cost that is not spent, by the delta method; of calls where costs are not known."""
    costs = [row.costs for row in rows]
    known = [cost for cost in costs if cost is not None]
    whole = sum(strong for _, strong in known)
    if len(known) < len(rows) or not whole:
        share = 1.0 - cut / len(rows)
        return Interval(share, share, share), "strong_calls"
    less = {at: known[at][1] - known[at][0] for at in order[cut:]}
    part = sum(less.values()) / whole
    sums: dict[bytes, float] = {}
    for at, row in enumerate(rows):
        sums[row.unit] = sums.get(row.unit, 0.0) + less.get(at, 0.0) - part * known[at][1]
    error = sum(one * one for one in sums.values()) ** 0.5 / whole
    return _around(part, error), "cost"


def _around(value: float, error: float) -> Interval:
    return Interval(value, value - TWO_SIDED * error, value + TWO_SIDED * error)
