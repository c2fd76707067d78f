"""How well scores find the asks that gain by the strong target: RouteLLM's APGR and CPT, with intervals.

Asks go to the strong target in the order of their scores. The recovered gap is the share of the whole gain, strong minus weak, that
is had by then; APGR is the area below it, CPT(p) the share of strong calls at which p of the gap is recovered. Asks of one score
go together, at their mean: so a score that never differs is exactly what chance is expected to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, groupby
from math import sqrt
from operator import mul

from msgspec import Struct

Draw = Callable[[int, int], Sequence[int]]
"""Some whole numbers below the first, as many as the second, each as likely: chance is passed in."""
RESAMPLES = 300
SHUFFLES = 200
LOW, HIGH = 0.025, 0.975


class Interval(Struct, frozen=True):
    """A figure with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


class Figures(Struct, frozen=True):
    """What one way of scoring reaches."""

    apgr: Interval
    cpt50: Interval
    cpt80: Interval
    sd: float = 0.0
    """Of APGR over resamples, or over shuffles for chance."""


Measured = tuple[float, float, float]


def ranked(scores: Sequence[float]) -> tuple[list[int], list[int]]:
    """The rows from the highest score on, and how many of them each score has."""
    order = sorted(range(len(scores)), key=lambda row: (-scores[row], row))
    sizes = [len(list(same)) for _, same in groupby(order, key=scores.__getitem__)]
    return order, sizes


def measured(
    counts: Sequence[float], gains: Sequence[float], sizes: Sequence[int]
) -> Measured | None:
    """APGR, CPT(50 %) and CPT(80 %) of ranked rows, each there `counts` times; None where there is no gain to recover."""
    shares = [0.0, *accumulate(counts)]
    had = [0.0, *accumulate(map(mul, counts, gains))]
    ends = [0, *accumulate(sizes)]
    xs, ys = [shares[end] for end in ends], [had[end] for end in ends]
    total, rows = ys[-1], xs[-1]
    if total <= 1e-9 * rows:
        return None
    steps = zip(xs, xs[1:], ys, ys[1:], strict=False)
    area = sum((to - at) * (low + high) for at, to, low, high in steps) / 2
    return area / (total * rows), _reached(xs, ys, 0.5) / rows, _reached(xs, ys, 0.8) / rows


def _reached(xs: Sequence[float], ys: Sequence[float], part: float) -> float:
    """Where a line of these points first comes up to a part of its end."""
    wanted = part * ys[-1]
    for at in range(1, len(xs)):
        if ys[at] >= wanted:
            rise = ys[at] - ys[at - 1]
            return (
                xs[at]
                if rise <= 0
                else xs[at - 1] + (xs[at] - xs[at - 1]) * (wanted - ys[at - 1]) / rise
            )
    return xs[-1]


def apgr(scores: Sequence[float], gains: Sequence[float]) -> float:
    """The area alone; one half where there is no gain to recover."""
    order, sizes = ranked(scores)
    found = measured([1.0] * len(order), [gains[row] for row in order], sizes)
    return found[0] if found else 0.5


def figures(
    scores: Sequence[float], gains: Sequence[float], units: Sequence[Sequence[int]], draw: Draw
) -> Figures:
    """With bootstrap intervals over `units`, the rows that belong together."""
    order, sizes = ranked(scores)
    sorted_gains = [gains[row] for row in order]
    value = measured([1.0] * len(order), sorted_gains, sizes)
    assert value is not None
    several = [
        found
        for counts in resamples(units, len(order), draw)
        if (found := measured([counts[row] for row in order], sorted_gains, sizes))
    ]
    return _figures(value, several)


def chance(gains: Sequence[float], draw: Draw) -> Figures:
    """What scores by chance reach: their expectation, and where 95 of 100 shuffles lie."""
    several = []
    for _ in range(SHUFFLES):
        keys = draw(1 << 52, len(gains))
        order = sorted(range(len(gains)), key=keys.__getitem__)
        found = measured([1.0] * len(order), [gains[row] for row in order], [1] * len(order))
        several.extend([found] if found else [])
    return _figures((0.5, 0.5, 0.8), several)


def resamples(units: Sequence[Sequence[int]], rows: int, draw: Draw) -> Iterator[list[float]]:
    """How often each row is there, in each of many draws of whole units."""
    for _ in range(RESAMPLES):
        counts = [0.0] * rows
        for unit in draw(len(units), len(units)):
            for row in units[unit]:
                counts[row] += 1.0
        yield counts


def quantile(values: Sequence[float], part: float) -> float:
    """Of sorted values, between two of them where it falls between."""
    at = part * (len(values) - 1)
    below = int(at)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (at - below)


def _figures(value: Measured, several: Sequence[Measured]) -> Figures:
    columns = [sorted(one) for one in zip(*(several or [value]), strict=True)]
    first, second, third = (
        Interval(middle, quantile(column, LOW), quantile(column, HIGH))
        for middle, column in zip(value, columns, strict=True)
    )
    mean = sum(columns[0]) / len(columns[0])
    sd = sqrt(sum((one - mean) ** 2 for one in columns[0]) / len(columns[0]))
    return Figures(first, second, third, sd)
