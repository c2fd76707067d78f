"""How good a router is on labels, beside chance, length and the heuristic."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from penstock.routing.fit import Tell, chosen, fitted
from penstock.routing.labels import Row, folds, units
from penstock.routing.recovered import Draw, Figures, chance, figures
from penstock.routing.router import Router, Scorer


class Evaluation(Struct, frozen=True):
    """The router's figures, and those of what needs no learning."""

    router: Figures
    random: Figures
    length: Figures
    heuristic: Figures
    oracle: Figures
    rows: int
    groups: int


def evaluate(rows: Sequence[Row], scores: Sequence[float], draw: Draw) -> Evaluation:
    """Of rows with their scores."""
    gains = [row.gain for row in rows]
    together = units(rows)

    def of(values: Sequence[float]) -> Figures:
        return figures(values, gains, together, draw)

    return Evaluation(
        of(scores),
        chance(gains, draw),
        of([float(row.length) for row in rows]),
        of([row.complexity for row in rows]),
        of(gains),
        len(rows),
        len(together),
    )


def held_out(rows: Sequence[Row], parts: int, tell: Tell) -> list[float]:
    """Each row's score by a router that was fitted, its penalty chosen too, without the row's part."""
    part_of = folds(rows, parts)
    scores = [0.0] * len(rows)
    for part in range(parts):
        tell(f"part {part + 1} of {parts}")
        seen = [row for row, other in zip(rows, part_of, strict=True) if other != part]
        weights = fitted(seen, (chosen(seen, _silent),))[0]
        for at, row in enumerate(rows):
            if part_of[at] == part:
                scores[at] = weights.score(row)
    return scores


def by(router: Router, rows: Sequence[Row]) -> list[float]:
    """Each row's score by a router that there is."""
    score = Scorer(router)
    return [score(row.slots) for row in rows]


def _silent(_: str) -> None:
    """Inside a part nothing is told."""
