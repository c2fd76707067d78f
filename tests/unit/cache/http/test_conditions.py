"""Conditions: tags before dates, weak where nothing is cut out, strong where something is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.cache.http import conditions
from penstock.wire import dates
from tests.unit.cache.http.scene import get

NOW = 1_800_000_000.0
CHANGED = dates.write(NOW - 1_000)
MADE = dates.write(NOW)
TAGGED = [("etag", '"abc"'), ("last-modified", CHANGED), ("date", MADE)]


def not_modified(headers: list[tuple[str, str]], status: int = 200, **asked: Any) -> bool:
    return conditions.not_modified(get(**asked), status, headers, NOW)


@pytest.mark.parametrize(
    ("tag", "wanted", "matches"),
    [
        ('"abc"', '"abc"', True),
        ('"abc"', 'W/"abc"', True),
        ('W/"abc"', '"abc"', True),
        ('W/"abc"', 'w/"abc"', True),
        ('"abc"', '"x", "abc"', True),
        ('"abc"', '"x","abc" , "y"', True),
        ('"a, b"', '"a, b"', True),
        ('"abc"', "*", True),
        ('"abcü"', '"abcü"', True),
        ("abc", "abc", True),
        ('"abc"', '"ABC"', False),
        ('"abc"', '"x"', False),
        ('"abc"', "", False),
        ('"b"', '"a, b"', False),
    ],
)
def test_tags(tag: str, wanted: str, matches: bool) -> None:
    assert not_modified([("etag", tag)], if_none_match=wanted) is matches


def test_a_tag_goes_before_a_date() -> None:
    assert not_modified(TAGGED, if_none_match='"abc"', if_modified_since=dates.write(0))
    assert not not_modified(TAGGED, if_none_match='"x"', if_modified_since=MADE)
    assert not not_modified([("last-modified", CHANGED)], if_none_match='"x"')


@pytest.mark.parametrize(
    ("since", "matches"),
    [(CHANGED, True), (MADE, True), (dates.write(NOW - 1_001), False), ("lately", False)],
)
def test_dates(since: str, matches: bool) -> None:
    assert not_modified(TAGGED, if_modified_since=since) is matches


def test_what_has_no_last_modified_has_not_changed_since_it_was_made() -> None:
    assert not_modified([("date", CHANGED)], if_modified_since=CHANGED)
    assert not not_modified([("date", MADE)], if_modified_since=CHANGED)
    assert not_modified([], if_modified_since=MADE)


def test_a_date_in_an_old_form_is_the_same_date() -> None:
    old = "Friday, 15-Jan-27 07:43:20 GMT"
    assert dates.parse(old, NOW) == NOW - 1_000
    assert not_modified(TAGGED, if_modified_since=old)


def test_only_what_was_found_can_be_unchanged() -> None:
    assert not not_modified(TAGGED, status=404, if_none_match='"abc"')
    assert not not_modified(TAGGED)


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        ('"abc"', True),
        ('W/"abc"', False),
        ('"x"', False),
        (CHANGED, True),
        (MADE, False),
        ("lately", False),
    ],
)
def test_if_range(wanted: str, holds: bool) -> None:
    assert conditions.in_range(get(if_range=wanted), TAGGED, NOW) is holds


def test_if_range_needs_a_strong_validator() -> None:
    assert not conditions.in_range(get(if_range='"abc"'), [("etag", 'W/"abc"')], NOW)
    assert not conditions.in_range(get(if_range=CHANGED), [("last-modified", CHANGED)], NOW)
    twice = [("last-modified", CHANGED), ("date", CHANGED)]
    assert not conditions.in_range(get(if_range=CHANGED), twice, NOW)
    assert conditions.in_range(get(), [], NOW)


def test_what_is_asked_of_the_origin_is_about_our_entry() -> None:
    request = get(if_none_match='"theirs"', range="bytes=0-1", if_range='"theirs"', accept="x")
    assert conditions.about(request, TAGGED) == [
        ("host", "gateway.test"),
        ("accept", "x"),
        ("if-none-match", '"abc"'),
        ("if-modified-since", CHANGED),
    ]
    assert not conditions.plain(request)
    assert conditions.plain(get(accept="x"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [('"a"', '"a"', True), ('"a"', 'W/"a"', True), ('"a"', '"b"', False), ('"a"', None, True)],
)
def test_same(one: str, other: str | None, same: bool) -> None:
    heads = [("etag", one)], [("etag", other)] if other else []
    assert conditions.same(*heads) is conditions.same(*reversed(heads)) is same


texts = st.text(st.characters(max_codepoint=255))


@given(texts, texts, texts, texts)
def test_no_header_raises(tag: str, date: str, wanted: str, since: str) -> None:
    headers = [("etag", tag), ("last-modified", date), ("date", date)]
    not_modified(headers, if_none_match=wanted)
    not_modified(headers, if_modified_since=since)
    conditions.in_range(get(if_range=wanted), headers, NOW)


@given(st.lists(st.text("abcW/ ,*", max_size=4), max_size=4), st.text("abcW/ ,", max_size=4))
def test_a_quoted_tag_matches_itself_alone(others: list[str], tag: str) -> None:
    wanted = ", ".join(f'"{one}"' for one in others)
    assert not_modified([("etag", f'"{tag}"')], if_none_match=wanted) is (tag in others)
