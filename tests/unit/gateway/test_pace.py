"""The pace by itself: whatever the loop does, the limit stays within its bounds and follows it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.gateway.pace import FLOOR, LATE_SECONDS, START, Pace

BEATS = st.lists(st.tuples(st.integers(0, 10_000), st.floats(0, 10)), max_size=200)


@given(most=st.integers(1, 10_000), beats=BEATS)
def test_the_limit_stays_between_its_floor_and_the_most(
    most: int, beats: list[tuple[int, float]]
) -> None:
    pace = Pace(most)
    for young, late in beats:
        pace.beat(min(young, pace.limit), late)
        assert min(FLOOR, most) <= pace.limit <= most
        assert pace.limit * 4 // 5 <= pace.others <= max(1, pace.limit)


@given(capacity=st.integers(100, 3_000), cold=st.integers(FLOOR, 4_096))
def test_it_finds_what_the_loop_keeps_up_with(capacity: int, cold: int) -> None:
    """A loop that is late in proportion to the young: the limit comes near what it can do, and stays there."""
    pace = Pace(4_096)
    pace.limit = cold
    seen = []
    for _ in range(300):
        young = pace.limit * 4 // 5
        pace.beat(young, LATE_SECONDS * young / capacity)
        seen.append(pace.limit * 4 // 5)
    assert capacity / 3 <= min(seen[100:])
    assert max(seen[100:]) <= capacity * 1.15


def test_what_nobody_tries_does_not_grow() -> None:
    pace = Pace(4_096)
    for _ in range(100):
        pace.beat(10, 0.0)
    assert pace.limit == START


def test_a_late_loop_is_cut_from_what_runs_not_from_what_might() -> None:
    pace = Pace(4_096)
    pace.beat(100, LATE_SECONDS * 2)
    assert pace.limit == 100 * 5 // 4 * 9 // 10


def test_rest_forgets_a_low_limit() -> None:
    pace = Pace(4_096)
    for _ in range(100):
        pace.beat(FLOOR, 1.0)
    assert pace.limit == FLOOR
    pace.rest()
    assert pace.limit == START
