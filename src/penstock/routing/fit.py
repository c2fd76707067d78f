"""Learning a router from labels: ridge regression of the gain, its penalty chosen by cross-validation, its thresholds by what it
scores on rows that it did not learn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import hypot, log2, sqrt
from typing import NamedTuple

from penstock.routing import features, router
from penstock.routing.labels import Labels, Row, folds, units
from penstock.routing.recovered import Draw, apgr, figures, ranked
from penstock.routing.router import POINTS, Calibration, Router, quantised, sealed
from penstock.routing.sparse import Design, ridge, scale

PENALTIES = (8.0, 25.0, 75.0)
USUAL = 25.0
"""What few labels are fitted with, unless another is better by more than chance often makes it."""
RELUCTANCE = 0.002
"""APGR that each doubling away from the usual penalty must bring."""
PARTS, FEWER_PARTS = 5, 3
MANY_ROWS = 2_000
"""Rows of which two thirds teach nearly what four fifths do, in half the time."""
CERTAIN = 1.6449
"""Standard errors below a figure that hold one-sidedly in 95 of 100."""
UNSEEN = 3.0
"""Rows lost whole that may be unseen where none was seen, with that certainty: few rows that lost nothing have no variance."""
FEW_ROWS = 3_000
"""Rows that are enough to choose a penalty by."""

Tell = Callable[[str], None]


class Weights(NamedTuple):
    """A fit in full precision."""

    mean: float
    values: list[float]

    def score(self, row: Row) -> float:
        """The expected gain beyond the mean."""
        return scale(row.slots) * sum(map(self.values.__getitem__, row.slots))


class Held(NamedTuple):
    """A penalty, and the score of each row by fits that did not see it."""

    penalty: float
    scores: list[float]


def fit(labels: Labels, source: str, created: str, draw: Draw, tell: Tell) -> Router:
    """A router with its provenance, from labels that were read."""
    rows = labels.rows
    held = cross_validated(rows, PARTS if len(rows) < MANY_ROWS else FEWER_PARTS, tell)
    tell("fitting all rows")
    weights = fitted(rows, (held.penalty,))[0]
    text, scales = quantised(weights.values)
    scores = [weights.mean + score for score in held.scores]
    found = figures(scores, [row.gain for row in rows], units(rows), draw).apgr
    return sealed(
        Router(
            version=router.VERSION,
            features=features.VERSION,
            source=source,
            created=created,
            rows=len(rows),
            data=labels.digest,
            penalty=held.penalty,
            base=weights.mean,
            scales=scales,
            weights=text,
            calibration=calibrated(scores, rows),
            apgr=(found.value, found.low, found.high),
            trust=trust(found.low, len(rows)),
        )
    )


def trust(low: float, rows: int) -> str:
    """How far a router can be trusted, in a sentence."""
    if low <= 0.5:
        return f"On its own {rows} labels it is no better than chance: do not use it."
    return f"Better than chance on asks like its {rows} labels; on others nothing is known: certify it on your own."


def fitted(rows: Sequence[Row], penalties: Sequence[float]) -> list[Weights]:
    """A fit of the gain for each penalty."""
    gains = [row.gain for row in rows]
    mean = sum(gains) / len(gains)
    design = Design([row.slots for row in rows])
    found = ridge(design, [gain - mean for gain in gains], penalties)
    return [Weights(mean, _spread(design.slots, some)) for some in found]


def _spread(slots: Sequence[int], values: Sequence[float]) -> list[float]:
    """Weights of all features; those that no row had weigh nothing."""
    whole = [0.0] * features.SIZE
    for slot, value in zip(slots, values, strict=True):
        whole[slot] = value
    return whole


def chosen(rows: Sequence[Row], tell: Tell) -> float:
    """The penalty for these rows, by cross-validation on no more of them than are needed."""
    return cross_validated(rows[:: -(-len(rows) // FEW_ROWS)], 3, tell).penalty


def cross_validated(rows: Sequence[Row], parts: int, tell: Tell) -> Held:
    """The best penalty, and each row's score beyond the mean by fits without its part.

    Beyond the mean: the parts' own means go against their rows, and would make a router look worse than chance.
    """
    part_of = folds(rows, parts)
    scores = [[0.0] * len(rows) for _ in PENALTIES]
    for part in range(parts):
        tell(f"part {part + 1} of {parts}")
        seen = [row for row, other in zip(rows, part_of, strict=True) if other != part]
        for column, weights in zip(scores, fitted(seen, PENALTIES), strict=True):
            for at, row in enumerate(rows):
                if part_of[at] == part:
                    column[at] = weights.score(row)
    gains = [row.gain for row in rows]
    worth = [
        apgr(column, gains) - RELUCTANCE * abs(log2(penalty / USUAL))
        for penalty, column in zip(PENALTIES, scores, strict=True)
    ]
    best = worth.index(max(worth))
    return Held(PENALTIES[best], scores[best])


class Kept(NamedTuple):
    """What is kept of the strong target's quality where the rows from `cut` on go to the weak one."""

    quality: float
    error: float
    """Its standard error."""
    least: float
    """What it is at least, with 95 % certainty."""
    over_chance: float
    """Its quality above that of as many strong calls by chance."""
    chance_error: float


def kept(order: Sequence[int], rows: Sequence[Row], cut: int) -> Kept:
    """Of ranked rows, by the delta method over the units that belong together."""
    strong = sum(row.strong for row in rows) or 1.0
    rest = 1.0 - cut / len(rows)
    lost = sum(rows[at].gain for at in order[cut:]) / strong
    chance = rest * sum(row.gain for row in rows) / strong
    over = chance - lost
    of_quality: dict[bytes, float] = {}
    of_chance: dict[bytes, float] = {}
    for place, at in enumerate(order):
        row = rows[at]
        missed = row.gain if place >= cut else 0.0
        unit = row.unit
        of_quality[unit] = of_quality.get(unit, 0.0) + lost * row.strong - missed
        of_chance[unit] = of_chance.get(unit, 0.0) + rest * row.gain - missed - over * row.strong
    error = _length(of_quality) / strong
    margin = hypot(CERTAIN * error, UNSEEN / strong) if cut < len(rows) else 0.0
    return Kept(1.0 - lost, error, 1.0 - lost - margin, over, _length(of_chance) / strong)


def _length(parts: dict[bytes, float]) -> float:
    return sqrt(sum(part * part for part in parts.values()))


def cuts(rows: int) -> list[int]:
    """How many rows each share of strong calls is."""
    return [-(-share * rows // (POINTS - 1)) for share in range(POINTS)]


def calibrated(scores: Sequence[float], rows: Sequence[Row]) -> Calibration:
    """Thresholds and quality by the share of strong calls."""
    order, _ = ranked(scores)
    points = [kept(order, rows, cut) for cut in cuts(len(rows))]
    thresholds = [
        scores[order[cut - 1]] if cut else scores[order[0]] + 1.0 for cut in cuts(len(rows))
    ]
    thresholds[-1] = min(scores) - 1e6
    return Calibration(
        thresholds,
        [point.quality for point in points],
        [point.least for point in points],
    )
