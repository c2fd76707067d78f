"""The machine: each state by what leads to it, and that nothing it serves is older than somebody allowed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from penstock.cache.http import states
from penstock.cache.http.entries import Entry
from penstock.cache.http.freshness import Terms
from penstock.cache.http.rules import Came, Rules
from penstock.cache.http.states import (
    Freshen,
    Instead,
    Miss,
    Pass,
    Refuse,
    Relay,
    Serve,
    Validate,
    Wish,
)
from penstock.wire import dates
from tests.unit.cache.http.scene import get

NOW = 1_800_000_000.0
ETAG = ("etag", '"1"')
R = Rules("r")


def entry(age: float = 0, *headers: tuple[str, str], **terms: Any) -> Entry:
    """One whose lifetime is 100 seconds, so old."""
    given = {"since": NOW - age, "age": 0.0, "lifetime": 100.0, **terms}
    return Entry("gateway.test /a", "", 200, [*headers], b"body", Terms(**given))


def begin(found: Entry | None, *, varied: bool = False, method: str = "GET", **asked: Any) -> Any:
    return states.begin(get(method=method), Wish(**asked), found, NOW, varied=varied)


@pytest.mark.parametrize(
    ("said", "means"),
    [
        (None, Wish()),
        ("no-cache", Wish(no_cache=True)),
        ("no-store, only-if-cached", Wish(no_store=True, only_if_cached=True)),
        ("max-age=5, min-fresh=6", Wish(max_age=5, min_fresh=6)),
        ("max-age=x", Wish(max_age=0)),
        ("max-stale=7", Wish(max_stale=7)),
        ("max-stale", Wish(max_stale=1 << 31)),
        ("max-stale=x", Wish()),
        ("stale-if-error=8", Wish(if_error=8)),
    ],
)
def test_wishes(said: str | None, means: Wish) -> None:
    assert states.wish(get(cache_control=said) if said else get()) == means


def test_what_is_nothing_for_a_cache_passes() -> None:
    assert states.passed(get(), Wish()) is None
    assert states.passed(get(method="HEAD"), Wish()) is None
    assert states.passed(get(method="POST"), Wish()) == Pass("method")
    assert states.passed(get(), Wish(no_store=True)) == Pass("request")
    assert states.passed(get(if_match='"1"'), Wish()) == Pass("bypass")
    assert states.passed(get(body=b"x"), Wish()) == Pass("bypass")


def test_nothing_is_kept() -> None:
    assert begin(None) == Miss("uri-miss")
    assert begin(None, varied=True) == Miss("vary-miss")
    assert begin(None, no_cache=True) == Miss("request")
    assert begin(None, only_if_cached=True) == Refuse()


@pytest.mark.parametrize(
    ("age", "asked", "served"),
    [
        (0, {}, True),
        (99, {}, True),
        (100, {}, False),
        (50, {"max_age": 50}, True),
        (51, {"max_age": 50}, False),
        (50, {"min_fresh": 50}, True),
        (51, {"min_fresh": 50}, False),
        (0, {"no_cache": True}, False),
        (150, {"max_stale": 50}, True),
        (151, {"max_stale": 50}, False),
        (150, {"max_stale": 50, "max_age": 149}, False),
        (150, {"max_stale": 50, "min_fresh": 1}, False),
        (10**9, {"max_stale": 1 << 31}, True),
    ],
)
def test_fresh_enough(age: float, asked: dict[str, Any], served: bool) -> None:
    found = entry(age, ETAG)
    assert isinstance(begin(found, **asked), Serve if served else Validate)
    assert isinstance(begin(found, **asked, only_if_cached=True), Serve if served else Refuse)


def test_nothing_stale_is_served_that_must_not_be() -> None:
    for terms in ({"strict": True}, {"shared": True}, {"checked": True}):
        assert isinstance(begin(entry(101, ETAG, **terms), max_stale=50), Validate)
    assert isinstance(begin(entry(0, ETAG, checked=True)), Validate)


@pytest.mark.parametrize(
    ("age", "changes", "asked", "refreshed"),
    [
        (100, {}, {}, True),
        (109, {}, {}, True),
        (110, {}, {}, False),
        (109, {"shared": True}, {}, True),
        (109, {"strict": True}, {}, False),
        (109, {"checked": True}, {}, False),
        (109, {}, {"no_cache": True}, False),
        (109, {}, {"max_age": 108}, False),
        (109, {}, {"min_fresh": 1}, False),
    ],
)
def test_stale_while_revalidating(
    age: float, changes: dict[str, Any], asked: dict[str, Any], refreshed: bool
) -> None:
    found = entry(age, ETAG, while_revalidating=10, **changes)
    state = begin(found, **asked)
    assert state == (Serve(found, refresh=True) if refreshed else Validate(found, state.why))


def test_why_it_is_asked_about() -> None:
    assert begin(entry(101, ETAG)).why == "stale"
    assert begin(entry(0, ETAG, checked=True)).why == "stale"
    assert begin(entry(0, ETAG), no_cache=True).why == "request"
    assert begin(entry(51, ETAG), max_age=50).why == "request"


def test_what_cannot_be_asked_about_is_fetched_anew() -> None:
    assert begin(entry(101)) == Miss("stale")
    assert begin(entry(101, ETAG), method="HEAD") == Miss("stale")


def answered(found: Entry | None, status: int, *headers: tuple[str, str], **asked: Any) -> Any:
    came = Came(status, [("date", dates.write(NOW)), *headers], NOW, NOW)
    about = bool(found and found.headers)
    return states.answered(get(), Wish(**asked), found, came, R, asked_about=about, owned=False)


FRESH = ("cache-control", "max-age=60")


def test_it_still_holds() -> None:
    found = entry(101, ETAG, ("x", "1"), ("cache-control", "max-age=9"))
    fresh = answered(found, 304, FRESH, ("x", "2"), ("content-length", "0"))
    assert isinstance(fresh, Freshen)
    assert fresh.terms is not None
    assert (fresh.terms.lifetime, fresh.came.status) == (60, 200)
    pairs = dict(fresh.came.headers)
    assert (pairs["x"], pairs["etag"], pairs["cache-control"]) == ("2", '"1"', "max-age=60")
    assert "content-length" not in pairs


def test_it_holds_but_must_be_kept_no_longer() -> None:
    fresh = answered(entry(101, ETAG), 304, ("cache-control", "private"))
    assert isinstance(fresh, Freshen)
    assert fresh.terms is None


def test_of_a_304_for_another_tag_nothing_is_learnt() -> None:
    found = entry(101, ETAG)
    fresh = answered(found, 304, FRESH, ("etag", '"2"'), ("x", "2"))
    assert (fresh.came.headers, fresh.terms) == (found.headers, found.terms)


def test_a_304_that_the_request_itself_asked_for_passes() -> None:
    assert answered(entry(101), 304) == Relay(None)
    assert answered(None, 304) == Relay(None)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_stale_reply_stands_in_for_a_failure_where_the_origin_said_so(status: int) -> None:
    found = entry(101, ETAG, if_error=10)
    assert answered(found, status) == Instead(found)
    assert answered(found, status, no_cache=True) == Relay(None)
    assert answered(entry(101, ETAG), status) == Relay(None)
    asked = entry(101, ETAG)
    assert answered(asked, status, if_error=10) == Instead(asked)
    assert answered(entry(111, ETAG, if_error=10), status) == Relay(None)


def test_no_other_status_is_a_failure() -> None:
    found = entry(101, ETAG, if_error=10)
    for status in (404, 429, 501, 505):
        assert isinstance(answered(found, status), Relay)


def test_a_stale_reply_stands_in_for_an_origin_that_is_out_of_reach() -> None:
    found = entry(101)
    assert states.failed(Wish(), found, NOW) == Instead(found)
    assert states.failed(Wish(no_cache=True), found, NOW) is None
    assert states.failed(Wish(), entry(101, strict=True), NOW) is None
    assert states.failed(Wish(), None, NOW) is None


wishes = st.builds(
    Wish,
    no_cache=st.booleans(),
    only_if_cached=st.booleans(),
    max_age=st.none() | st.integers(0, 300),
    min_fresh=st.integers(0, 3),
    max_stale=st.integers(0, 300),
)
found = st.builds(
    Terms,
    since=st.floats(NOW - 300, NOW),
    age=st.floats(0, 300),
    lifetime=st.floats(0, 300),
    while_revalidating=st.integers(0, 300),
    if_error=st.none() | st.integers(0, 300),
    checked=st.booleans(),
    strict=st.booleans(),
    shared=st.booleans(),
)


@given(wishes, found, st.booleans())
def test_what_is_served_is_as_fresh_as_somebody_allowed(
    asked: Wish, terms: Terms, tagged: bool
) -> None:
    kept = replace(entry(0, *([ETAG] if tagged else [])), terms=terms)
    state = states.begin(get(), asked, kept, NOW, varied=False)
    if not isinstance(state, Serve):
        assert not asked.only_if_cached or isinstance(state, Refuse)
        return
    assert not asked.no_cache
    assert not terms.checked
    assert asked.max_age is None or terms.aged(NOW) <= asked.max_age
    assert terms.left(NOW) >= asked.min_fresh or not asked.min_fresh
    late = -terms.left(NOW)
    if late >= 0:
        assert not terms.strict
        assert late <= max(asked.max_stale, terms.while_revalidating)
    assert state.refresh is (
        late >= 0 and not (asked.max_stale >= late and not terms.shared and asked.max_stale)
    )
