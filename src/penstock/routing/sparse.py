"""Ridge regression on yes-or-no features, in plain Python: rows and columns are gathered by C's own `itemgetter`.

Lanczos' bidiagonalisation (Golub and Kahan) is made once; each strength of the penalty is then a small system.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from math import sqrt
from operator import itemgetter

Slots = Sequence[int]
Gather = Callable[[Sequence[float]], tuple[float, ...]]
STEPS = 12
"""Of Lanczos: more change no figure here in its third place."""


def scale(slots: Slots) -> float:
    """What a row's features weigh each: long texts, which have more of them, weigh more than short ones, but not by as much."""
    return 1.0 / sqrt(sqrt(len(slots) or 1))


class Design:
    """Rows of features as a matrix: only its products with vectors are ever needed, over the features that any row has."""

    def __init__(self, rows: Sequence[Slots]) -> None:
        self._scales = [scale(row) for row in rows]
        columns: dict[int, array[int]] = {}
        for at, row in enumerate(rows):
            for slot in row:
                columns.setdefault(slot, array("L")).append(at)
        self.slots = sorted(columns)
        self.size = len(self.slots)
        # One number object each, whichever rows have it.
        places = {slot: at for at, slot in enumerate(self.slots)}
        self._rows = [_gather(map(places.__getitem__, row), self.size) for row in rows]
        self._columns = [_gather(columns[slot], len(rows)) for slot in self.slots]

    def times(self, weights: Sequence[float]) -> list[float]:
        """A value for each row."""
        padded = [*weights, 0.0]
        pairs = zip(self._scales, self._rows, strict=True)
        return [factor * sum(gather(padded)) for factor, gather in pairs]

    def transposed(self, values: Sequence[float]) -> list[float]:
        """A value for each feature."""
        padded = [factor * value for factor, value in zip(self._scales, values, strict=True)]
        padded.append(0.0)
        return [sum(gather(padded)) for gather in self._columns]


def _gather(numbers: Iterable[int], nothing: int) -> Gather:
    # itemgetter gives a tuple only where it has two numbers or more.
    return itemgetter(*numbers, nothing, nothing)


def ridge(
    design: Design, targets: Sequence[float], penalties: Sequence[float]
) -> list[list[float]]:
    """The weights of `design.slots` for each penalty, without intercept: the targets are to be centred."""
    first, units, alphas, betas = _bidiagonal(design, targets)
    found = []
    for penalty in penalties:
        weights = [0.0] * design.size
        if alphas:
            for part, unit in zip(_solved(alphas, betas, first, penalty), units, strict=True):
                weights = [have + part * more for have, more in zip(weights, unit, strict=True)]
        found.append(weights)
    return found


def _bidiagonal(
    design: Design, targets: Sequence[float]
) -> tuple[float, list[list[float]], list[float], list[float]]:
    first, left = _unit(list(targets))
    alpha, right = _unit(design.transposed(left)) if first else (0.0, [])
    units: list[list[float]] = []
    alphas: list[float] = []
    betas: list[float] = []
    while alpha > 1e-9 and len(units) < STEPS:
        units.append(right)
        alphas.append(alpha)
        beta, left = _unit(_less(design.times(right), alpha, left))
        betas.append(beta)
        if beta <= 1e-9:
            break
        alpha, right = _unit(_less(design.transposed(left), beta, right))
    return first, units, alphas, betas


def _solved(
    alphas: Sequence[float], betas: Sequence[float], first: float, penalty: float
) -> list[float]:
    """The small tridiagonal system, from the top down and back."""
    count = len(alphas)
    diagonal = [alphas[i] ** 2 + betas[i] ** 2 + penalty for i in range(count)]
    beside = [alphas[i + 1] * betas[i] for i in range(count - 1)]
    values = [alphas[0] * first, *[0.0] * (count - 1)]
    for i in range(1, count):
        factor = beside[i - 1] / diagonal[i - 1]
        diagonal[i] -= factor * beside[i - 1]
        values[i] -= factor * values[i - 1]
    values[-1] /= diagonal[-1]
    for i in range(count - 2, -1, -1):
        values[i] = (values[i] - beside[i] * values[i + 1]) / diagonal[i]
    return values


def _less(values: list[float], factor: float, others: list[float]) -> list[float]:
    return [value - factor * other for value, other in zip(values, others, strict=True)]


def _unit(values: list[float]) -> tuple[float, list[float]]:
    """A vector's length, and the vector of length one."""
    length = sqrt(sum(value * value for value in values))
    return length, [value / length for value in values] if length else values
