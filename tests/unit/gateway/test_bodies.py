"""Room for bodies: taken by what they say they are, given back whole."""

from __future__ import annotations

import pytest

from penstock.errors import Overloaded
from penstock.gateway.bodies import SMALL, Bodies, bound_of
from penstock.wire.http import Request


def declared(value: str | None) -> int:
    headers = [] if value is None else [("content-length", value)]
    return bound_of(Request("POST", b"/", headers=headers), 1_000_000)


def test_small_ones_take_no_room() -> None:
    bodies = Bodies(100)
    assert [bodies.take(SMALL) for _ in range(100)] == [0] * 100
    assert bodies.held == 0


def test_one_always_finds_room_and_the_next_does_not() -> None:
    bodies = Bodies(50_000)
    taken = bodies.take(80_000)
    with pytest.raises(Overloaded):
        bodies.take(SMALL + 1)
    bodies.give(taken)
    assert bodies.held == 0
    bodies.take(30_000)
    bodies.take(20_000)
    assert bodies.held == 50_000


@pytest.mark.parametrize(
    ("value", "room"),
    [("20000", 20_000), ("1000000", 1_000_000), ("1000001", 0), (None, 1_000_000), ("x", 0), ("9" * 40, 0)],
)  # fmt: skip
def test_the_room_is_what_reading_may_take(value: str | None, room: int) -> None:
    assert declared(value) == room
