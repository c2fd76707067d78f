"""Which of several backends takes the next request: pure choices over how each stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar


class Seat(Protocol):
    """A backend as far as a choice looks at it; `credit` belongs to the choices alone."""

    weight: int
    credit: int
    in_air: int


S = TypeVar("S", bound=Seat)


def weighted(seats: Sequence[S]) -> S:
    """The next in turn, smoothly: in any run of as many choices as the weights add up to, each has its share exactly.

    Everyone earns their weight, and who has most pays for the turn what all have earned.
    """
    if len(seats) == 1:
        return seats[0]
    total = 0
    best = seats[0]
    for seat in seats:
        seat.credit += seat.weight
        total += seat.weight
        if seat.credit > best.credit:
            best = seat
    best.credit -= total
    return best


def in_air(seat: Seat) -> float:
    """Its requests in the air for its weight."""
    return seat.in_air / seat.weight


def least(seats: Sequence[S], load: Callable[[S], float] = in_air) -> S:
    """The one with the least load, the fewest requests in the air for its weight unless told; of equals the next in turn."""
    loads = [load(seat) for seat in seats]
    lowest = min(loads)
    return weighted([seat for seat, one in zip(seats, loads, strict=True) if one == lowest])
