"""Fields: whatever came is read, the first of two counts, a quotation hides what it holds, and nothing raises or stalls."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.cache.http import fields
from penstock.cache.http.fields import MOST_SECONDS

texts = st.text(st.characters(max_codepoint=255))


def cc(*values: str) -> list[tuple[str, str]]:
    return [("cache-control", value) for value in values]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (["max-age=3600"], {"max-age": "3600"}),
        (["MaX-aGe=3600, No-Store"], {"max-age": "3600", "no-store": None}),
        (["max-age=1", "max-age=2"], {"max-age": "1"}),
        (['max-age="3600"'], {"max-age": "3600"}),
        (['x="max-age=1, y", max-age=2'], {"x": "max-age=1, y", "max-age": "2"}),
        (['x="a\\"b,c", no-cache'], {"x": 'a"b,c', "no-cache": None}),
        (['x="open, no-cache'], {"x": '"open, no-cache'}),
        ([" , ,\t, no-cache ,"], {"no-cache": None}),
        (["max-age= 1"], {"max-age": " 1"}),
        (["max-age =1"], {"max-age ": "1"}),
        ([""], {}),
        ([], {}),
    ],
)
def test_directives(values: list[str], found: dict[str, str | None]) -> None:
    assert fields.directives(cc(*values)) == found


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("003600", 3600),
        ("2147483647", 2147483647),
        ("2147483648", MOST_SECONDS),
        ("99999999999", MOST_SECONDS),
        ("9" * 10_000, MOST_SECONDS),
        ("0" * 10_000, 0),
        ("-1", None),
        ("1.0", None),
        ("1a", None),
        ("", None),
        (" 1", None),
        ("'1'", None),
        ("\u0661", None),
    ],
)
def test_numbers(text: str, seconds: int | None) -> None:
    assert fields.number(text) == seconds


def test_a_directive_that_is_no_number_is_nought_and_one_that_is_not_there_is_none() -> None:
    found = fields.directives(cc("max-age=abc, s-maxage"))
    asked = [fields.seconds(found, name) for name in ("max-age", "s-maxage", "min-fresh")]
    assert asked == [0, 0, None]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("max-age=10", {"max-age": "10"}),
        ("max-age=10, foobar", {"max-age": "10", "foobar": None}),
        ("max-age=10;x=1, private", {"max-age": "10", "private": None}),
        ("no-store", {"no-store": None}),
        ('max-age="10"', {}),
        ("max-age", {}),
        ("MaX-Age=10", {}),
        ("max-age=10, &&&&", {}),
        ("max-age =10", {}),
        ("", {}),
    ],
)
def test_a_targeted_field_is_a_structured_one_or_nothing(
    value: str, found: dict[str, str | None]
) -> None:
    headers = [*cc("no-store"), ("cdn-cache-control", value)]
    assert fields.targeted(headers) == found
    assert fields.control(headers) == (found or {"no-store": None})


@given(st.lists(texts, max_size=4))
def test_no_header_raises(values: list[str]) -> None:
    fields.directives(cc(*values))
    fields.targeted([("cdn-cache-control", value) for value in values])
    assert all(member.strip(" \t") == member != "" for member in fields.members(values))


@given(st.lists(st.sampled_from(["a", "b=1", 'c="x, y"', 'd="\\""']), max_size=6))
def test_members_are_what_was_joined(members: list[str]) -> None:
    assert [*fields.members([", ".join(members)])] == members
    assert [*fields.members(members)] == members


@pytest.mark.parametrize("piece", ['"', '\\"', '"\\', ',"', 'a"', '"\\"'])
def test_a_long_hostile_header_is_read_once(piece: str) -> None:
    """A pattern that went back would take hours for this."""
    value = piece * (64_000 // len(piece))
    assert sum(map(len, fields.members([value]))) <= len(value)
    fields.directives(cc(value))
