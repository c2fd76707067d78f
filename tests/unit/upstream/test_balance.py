"""Choosing a backend: exact shares in turn, and the emptiest for its weight."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from penstock.upstream import balance


@dataclass(eq=False)
class Seat:
    name: str
    weight: int
    credit: int = 0
    in_air: int = 0


def counted(seats: list[Seat], number: int) -> Counter[str]:
    return Counter(balance.weighted(seats).name for _ in range(number))


def test_seventy_to_thirty_over_ten_thousand() -> None:
    found = counted([Seat("a", 70), Seat("b", 30)], 10_000)
    assert found == {"a": 7_000, "b": 3_000}


def test_it_is_smooth() -> None:
    seats = [Seat("a", 5), Seat("b", 1), Seat("c", 1)]
    assert "".join(balance.weighted(seats).name for _ in range(7)) == "aabacaa"


@given(st.lists(st.integers(1, 50), min_size=1, max_size=6), st.integers(0, 300))
def test_a_whole_turn_gives_each_its_weight(weights: list[int], offset: int) -> None:
    seats = [Seat(str(at), weight) for at, weight in enumerate(weights)]
    counted(seats, offset)
    found = counted(seats, sum(weights))
    assert found == {str(at): weight for at, weight in enumerate(weights)}


@given(st.lists(st.integers(1, 100), min_size=2, max_size=5), st.integers(1, 500))
def test_nobody_is_ever_a_whole_turn_ahead(weights: list[int], number: int) -> None:
    seats = [Seat(str(at), weight) for at, weight in enumerate(weights)]
    found, total = counted(seats, number), sum(weights)
    for at, weight in enumerate(weights):
        assert abs(found[str(at)] - number * weight / total) < len(weights)


def test_least_takes_the_emptiest_for_its_weight() -> None:
    seats = [Seat("a", 70, in_air=7), Seat("b", 30, in_air=2)]
    assert balance.least(seats).name == "b"
    seats[1].in_air = 4
    assert balance.least(seats).name == "a"


def test_equally_empty_ones_take_turns_by_weight() -> None:
    seats = [Seat("a", 70), Seat("b", 30)]
    assert Counter(balance.least(seats).name for _ in range(1_000)) == {"a": 700, "b": 300}


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(0, 50)), min_size=1, max_size=6))
def test_none_is_emptier_than_the_one_taken(stands: list[tuple[int, int]]) -> None:
    seats = [Seat(str(at), weight, in_air=n) for at, (weight, n) in enumerate(stands)]
    taken = balance.least(seats)
    assert all(taken.in_air * seat.weight <= seat.in_air * taken.weight for seat in seats)
