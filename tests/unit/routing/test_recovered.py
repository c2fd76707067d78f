"""APGR and CPT."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.routing.recovered import apgr, chance, figures, measured, ranked
from tests.unit.routing.labelled import draw

GAINS = st.lists(st.floats(-1, 1), min_size=2, max_size=60).filter(lambda gains: sum(gains) > 0.1)


def of(scores, gains):
    order, sizes = ranked(scores)
    return measured([1.0] * len(order), [gains[at] for at in order], sizes)


@given(GAINS)
def test_a_score_that_never_differs_is_what_chance_is_expected_to_be(gains: list[float]) -> None:
    found = of([0.3] * len(gains), gains)
    assert found == pytest.approx((0.5, 0.5, 0.8))


@given(GAINS)
def test_no_score_is_better_than_the_gain_itself(gains: list[float]) -> None:
    shuffled = list(range(len(gains)))
    Random(1).shuffle(shuffled)
    best, other = of(gains, gains), of([float(at) for at in shuffled], gains)
    assert best[0] >= other[0] - 1e-9
    assert best[1] <= other[1] + 1e-9


@given(GAINS, st.integers(0, 3))
def test_the_area_goes_the_other_way_round_with_the_scores(gains: list[float], kinds: int) -> None:
    scores = [float(at % (kinds + 1)) for at in range(len(gains))]
    assert apgr(scores, gains) + apgr([-score for score in scores], gains) == pytest.approx(1.0)


def test_by_hand() -> None:
    # Two of four gain, and stand first: the gap is recovered at one half.
    assert of([4.0, 3.0, 2.0, 1.0], [1.0, 1.0, 0.0, 0.0]) == pytest.approx((0.75, 0.25, 0.4))
    assert of([1.0, 2.0, 3.0, 4.0], [1.0, 1.0, 0.0, 0.0]) == pytest.approx((0.25, 0.75, 0.9))


def test_without_a_gap_there_is_nothing_to_recover() -> None:
    assert of([1.0, 2.0], [0.5, -0.5]) is None
    assert apgr([1.0, 2.0], [0.0, 0.0]) == 0.5


def test_intervals_hold_the_value_and_narrow_with_rows() -> None:
    wide, narrow = (interval(rows) for rows in (60, 2_000))
    for found in (wide, narrow):
        assert found.low < found.value < found.high
    assert narrow.high - narrow.low < (wide.high - wide.low) / 2


def interval(rows: int):
    random = Random(2)
    gains = [float(random.random() < 0.4) for _ in range(rows)]
    scores = [gain + random.gauss(0, 1) for gain in gains]
    return figures(scores, gains, [[at] for at in range(rows)], draw()).apgr


def test_rows_that_belong_together_are_drawn_together() -> None:
    """Ten copies of forty rows tell no more than the forty."""
    random = Random(3)
    gains = [float(random.random() < 0.5) for _ in range(40)]
    scores = [gain + random.gauss(0, 1) for gain in gains]
    once = figures(scores, gains, [[at] for at in range(40)], draw()).apgr
    together = [[at + 40 * copy for copy in range(10)] for at in range(40)]
    many = figures(scores * 10, gains * 10, together, draw()).apgr
    assert many.high - many.low > 0.7 * (once.high - once.low)


def test_chance_is_one_half_and_says_how_far_it_strays() -> None:
    found = chance([1.0, 0.0] * 50, draw())
    assert found.apgr.value == 0.5
    assert found.apgr.low < 0.5 < found.apgr.high
    assert 0.02 < found.sd < 0.08
    assert chance([1.0, 0.0] * 50, draw()) == found
