"""Freshness: age only grows, what is fresh is not stale, and the origin's words are taken in their order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.cache.http import fields, freshness
from penstock.cache.http.freshness import MOST_KEPT_SECONDS, UNREACHABLE_SECONDS, Terms
from penstock.wire import dates

NOW = 1_800_000_000.0

seconds = st.integers(0, 1 << 31)
terms = st.builds(
    Terms,
    since=st.floats(0, 4e9),
    age=st.floats(0, 4e9),
    lifetime=st.floats(0, 4e9),
    while_revalidating=seconds,
    if_error=st.none() | seconds,
    checked=st.booleans(),
    strict=st.booleans(),
    shared=st.booleans(),
)


def date(offset: int = 0) -> tuple[str, str]:
    return "date", dates.write(NOW + offset)


@pytest.mark.parametrize(
    ("headers", "sent", "age"),
    [
        ([date()], NOW, 0),
        ([], NOW, 0),
        ([("date", "foo")], NOW, 0),
        ([date(-30)], NOW, 30),
        ([date(+30)], NOW, 0),
        ([date(), ("age", "40")], NOW, 40),
        ([date(), ("age", "40")], NOW - 5, 45),
        ([date(-100), ("age", "40")], NOW - 5, 100),
        ([date(), ("age", "7200, 0")], NOW, 7200),
        ([date(), ("age", "0"), ("age", "7200")], NOW, 0),
        ([date(), ("age", "abc")], NOW, 0),
        ([date(), ("age", "-7200")], NOW, 0),
        ([date(), ("age", "7200.0")], NOW, 0),
        ([date(), ("age", "99999999999")], NOW, 1 << 31),
        ([date()], NOW + 5, 0),
    ],
)
def test_age(headers: list[tuple[str, str]], sent: float, age: float) -> None:
    assert freshness.age(headers, sent, NOW) == age


@pytest.mark.parametrize(
    ("headers", "lifetime"),
    [
        ([("cache-control", "max-age=60")], 60),
        ([("cache-control", "max-age=60, s-maxage=5")], 5),
        ([("cache-control", "s-maxage=5"), ("cache-control", "max-age=60")], 5),
        ([("cache-control", "max-age=60"), ("expires", "0")], 60),
        ([("cache-control", "max-age=x"), ("expires", dates.write(NOW + 9))], 0),
        ([("expires", dates.write(NOW + 9))], 9),
        ([("expires", dates.write(NOW + 9)), date(-1)], 10),
        ([("expires", dates.write(NOW - 9))], 0),
        ([("expires", "0")], 0),
        ([("expires", ""), ("expires", dates.write(NOW + 9))], 0),
        ([("cdn-cache-control", "max-age=7"), ("cache-control", "max-age=60")], 7),
        ([("cdn-cache-control", "foo"), ("expires", dates.write(NOW + 9))], None),
        ([], None),
        ([("cache-control", "public")], None),
    ],
)
def test_the_lifetime_the_origin_named(
    headers: list[tuple[str, str]], lifetime: float | None
) -> None:
    assert freshness.explicit(fields.control(headers), headers, NOW) == lifetime


@pytest.mark.parametrize(
    ("modified", "lifetime"), [(-1_000, 100), (0, 0), (+50, 0), (-100_000_000, 86_400)]
)
def test_a_guess_is_a_tenth_of_the_time_without_change(modified: int, lifetime: float) -> None:
    headers = [date(), ("last-modified", dates.write(NOW + modified))]
    assert freshness.heuristic(headers, NOW) == lifetime


def test_nothing_is_guessed_of_what_has_no_last_modified() -> None:
    assert freshness.heuristic([date(), ("last-modified", "lately")], NOW) == 0


@given(terms, st.floats(0, 1e9), st.floats(0, 1e9))
def test_age_only_grows_and_freshness_only_shrinks(one: Terms, wait: float, more: float) -> None:
    earlier, later = one.since + wait, one.since + wait + more
    assert one.aged(earlier) <= one.aged(later)
    assert one.left(earlier) >= one.left(later)
    assert one.aged(one.since - wait) == one.age


@given(terms, st.floats(0, 1e9), st.booleans(), seconds)
def test_what_stands_in_is_fresh_or_allowed_to_be_stale(
    one: Terms, wait: float, reachable: bool, asked: int
) -> None:
    now = one.since + wait
    if not one.stands_in(now, reachable=reachable, asked=asked):
        return
    assert not one.checked
    late = -one.left(now)
    if late >= 0:
        assert not one.strict
        assert one.if_error is not None or not one.shared
        assert late <= max(one.if_error or 0, asked, UNREACHABLE_SECONDS)


@given(terms, st.floats(0, 1e9), st.booleans())
def test_it_is_kept_for_as_long_as_it_can_be_of_use(
    one: Terms, wait: float, validated: bool
) -> None:
    now = one.since + wait
    kept = one.kept(now, validated)
    assert kept <= MOST_KEPT_SECONDS
    if 0 < kept < MOST_KEPT_SECONDS:
        beyond = now + kept + 1
        assert not one.stands_in(beyond, reachable=False, asked=0)
        assert one.left(beyond) < 0


@pytest.mark.parametrize(
    ("changes", "reachable", "late", "stands"),
    [
        ({}, False, UNREACHABLE_SECONDS, True),
        ({}, False, UNREACHABLE_SECONDS + 1, False),
        ({}, True, 0, True),
        ({}, True, 1, False),
        ({"if_error": 10}, True, 10, True),
        ({"if_error": 10}, True, 11, False),
        ({"if_error": 10}, False, 11, False),
        ({"if_error": 10, "shared": True}, False, 10, True),
        ({"shared": True}, False, 1, False),
        ({"strict": True, "if_error": 10}, False, 1, False),
        ({"strict": True}, False, -1, True),
        ({"checked": True}, False, -1, False),
    ],
)
def test_standing_in(changes: dict[str, int], reachable: bool, late: int, stands: bool) -> None:
    one = Terms(since=NOW, age=0, lifetime=100, **changes)  # type: ignore[arg-type]  # by name
    assert one.stands_in(NOW + 100 + late, reachable=reachable, asked=0) is stands
