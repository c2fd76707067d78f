"""When figures are bad."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from penstock.ledger.alerts import measures
from penstock.ledger.alerts.measures import Bearable, Burn, Hits, Spend, weighed
from penstock.ledger.alerts.samples import decoded, encoded, lately
from penstock.ledger.budgets import Standing

HOUR, MINUTE = 3_600_000, 60_000
NOW = 500_000 * HOUR
DOLLAR = 10**9


def test_a_window_has_as_much_of_its_oldest_hour_as_lies_in_it() -> None:
    hours = {NOW - HOUR: (100, 10), NOW: (7, 1), NOW - 2 * HOUR: (1_000, 0)}
    assert weighed(hours, NOW + 15 * MINUTE, 1) == (82, 8)
    assert weighed(hours, NOW, 1) == (107, 11)
    assert weighed(hours, NOW + 15 * MINUTE, 2) == (857, 11)
    assert weighed({}, NOW, 1) == ()


USUAL = Bearable(1, 0, 3.0, DOLLAR)


@pytest.mark.parametrize(
    ("spent", "before", "hours", "rule", "level", "holds"),
    [
        (3 * DOLLAR, 168 * DOLLAR, 168, USUAL, 0, True),
        (3 * DOLLAR + 1, 168 * DOLLAR, 168, USUAL, 1, True),
        (9 * DOLLAR, 168 * DOLLAR, 168, USUAL, 2, True),
        (2 * DOLLAR, 168 * DOLLAR, 168, USUAL, 0, False),
        (DOLLAR - 1, 1_000, 168, USUAL, 0, True),
        (99 * DOLLAR, 23 * DOLLAR, 23, USUAL, 0, False),
        (99 * DOLLAR, 0, 168, USUAL, 0, False),
        (5 * DOLLAR, 0, 0, Bearable(1, 4 * DOLLAR, 0.0, DOLLAR), 1, True),
        (10 * DOLLAR, 0, 0, Bearable(4, 4 * DOLLAR, 0.0, DOLLAR), 0, False),
        (5 * DOLLAR, 168 * DOLLAR, 168, Bearable(1, 9 * DOLLAR, 3.0, DOLLAR), 1, True),
    ],
    ids=[
        "three times is borne", "more is not", "much more", "well again", "little", "no day of it",
        "nothing before", "an amount", "an amount an hour", "the smaller bound",
    ],
)  # fmt: skip
def test_spending(spent, before, hours, rule, level, holds) -> None:
    found = measures.spend("all", Spend(spent, before, hours), rule)
    assert (found.level, found.holds) == (level, holds)


@pytest.mark.parametrize(
    ("long", "short", "factor", "level", "holds"),
    [
        ((150, 1_000), (20, 100), 14.4, 2, True),
        ((150, 1_000), (10, 100), 14.4, 0, False),
        ((150, 1_000), (12, 100), 14.4, 0, True),
        ((100, 1_000), (20, 100), 14.4, 0, True),
        ((70, 1_000), (20, 100), 6.0, 1, True),
        ((4, 20), (4, 20), 14.4, 0, True),
        ((10, 19), (10, 19), 14.4, 0, True),
        ((150, 1_000), (0, 0), 14.4, 0, False),
        ((0, 0), (0, 0), 14.4, 0, False),
    ],
    ids=[
        "both", "it ended", "about to end", "a short burst", "slowly", "few errors", "few requests", "silence", "nothing",
    ],
)  # fmt: skip
def test_errors_burn_in_both_windows(long, short, factor, level, holds) -> None:
    found = measures.errors("all", Burn(long, short), 0.99, factor, 20, 1)
    assert (found.level, found.holds) == (level, holds)


@pytest.mark.parametrize(
    ("now", "before", "level"),
    [
        ((100, 1_000), (50_000, 100_000), 1),
        ((400, 1_000), (50_000, 100_000), 0),
        ((60, 199), (50_000, 100_000), 0),
        ((60, 200), (90, 199), 0),
        ((60, 200), (0, 100_000), 0),
        ((62, 200), (100, 200), 0),
        ((600, 1_000), (50_000, 100_000), 0),
    ],
    ids=["a drop", "a small one", "few now", "few before", "none before", "chance", "better"],
)
def test_hits(now, before, level) -> None:
    assert measures.hit_rate("all", Hits(now, before), 0.3, 200, 1).level == level


def test_noise_does_not_fire() -> None:
    draw = random.Random(7)
    fired = 0
    for _ in range(5_000):
        hits = sum(draw.random() < 0.1 for _ in range(200))
        fired += measures.hit_rate("all", Hits((hits, 200), (1_000, 10_000)), 0.3, 200, 1).level
    assert fired == 0


@given(st.integers(0, 5_000), st.integers(0, 5_000), st.integers(0, 5_000), st.integers(0, 5_000))
def test_a_score_is_always_a_number(
    hits: int, missed: int, before: int, missed_before: int
) -> None:
    seen = Hits((hits, hits + missed + 1), (before, before + missed_before + 1))
    assert abs(measures.score(seen)) < 1_000


DAY = Standing("user", "a", "day", "nanos", NOW, NOW + 24 * HOUR, 100, 0, 0)


@pytest.mark.parametrize(
    ("spent", "hours", "level", "holds"),
    [
        (79, 23, 0, True), (80, 23, 1, True), (99, 23, 2, True), (75, 23, 0, False), (50, 8, 1, True), (50, 12, 0, True),
        (24, 3, 0, False), (30, 2, 0, False),
    ],
    ids=["not yet", "near", "used up", "well", "forecast over", "just not", "little used", "early"],
)  # fmt: skip
def test_budgets(spent, hours, level, holds) -> None:
    found = measures.budget("a", replace(DAY, spent=spent), 0.8, NOW + hours * HOUR)
    assert (found.level, found.holds) == (level, holds)


def test_a_provider_is_down_that_failed_often_and_answered_nobody() -> None:
    def level(failures: int, *, answered: bool) -> int:
        return measures.provider_down("p", failures, answered=answered, minutes=3).level

    assert level(5, answered=False) == 2
    assert level(4, answered=False) == 0
    assert level(500, answered=True) == 0


def test_a_backend_is_critical_where_it_was_the_last() -> None:
    assert [one.level for one in measures.backends_down("s", ["a"], 2)] == [1]
    assert [one.level for one in measures.backends_down("s", ["a", "b"], 2)] == [2, 2]


def every(key):
    return key[1]


def test_what_came_lately_is_the_difference_of_what_stood() -> None:
    text = "[]"
    counts: dict = {}
    draw = random.Random(3)
    came: list[tuple[int, int, int]] = []
    now = NOW + 50 * MINUTE
    for _ in range(90):
        found = lately(decoded(text), counts, now, 5 * MINUTE, every)
        if found is not None:
            since = max(at for at, *_ in [(one.at,) for one in decoded(text)] if at <= now - 5 * MINUTE + 40_000)  # fmt: skip
            bad = sum(one[1] for one in came if one[0] >= since)
            assert found.get("r", (0, 0)) == (bad, sum(one[2] for one in came if one[0] >= since))
        text = encoded(decoded(text), counts, now)
        hour = now // HOUR * HOUR
        bad, all = draw.randrange(5), draw.randrange(5, 50)
        had = counts.get((hour, "r"), (0, 0))
        counts[hour, "r"] = had[0] + bad, had[1] + all
        came.append((now, bad, all))
        now += MINUTE + draw.randrange(30_000)
    assert len(decoded(text)) < 30


def test_without_a_sample_of_about_that_time_nothing_is_known() -> None:
    counts = {(NOW, "r"): (1, 2)}
    text = encoded([], counts, NOW)
    assert lately(decoded(text), counts, NOW + MINUTE, 5 * MINUTE, every) is None
    assert lately(decoded(text), counts, NOW + 5 * MINUTE, 5 * MINUTE, every) == {"r": (0, 0)}
    assert lately(decoded(text), counts, NOW + 30 * MINUTE, 5 * MINUTE, every) is None
    assert lately(decoded(text), counts, NOW + 30 * MINUTE, 30 * MINUTE, every) == {"r": (0, 0)}
