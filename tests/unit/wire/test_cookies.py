"""Cookies of a request: found by their very name, and taken out without touching the others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.wire import cookies

HEADER = st.text(alphabet="ab=; \t\"'", max_size=40)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("a=1", ["1"]), ("a=1; a=2", ["1", "2"]), ("b=1;a=2 ;c=3", ["2"]), (" a = 1 ", ["1"]), ("a", [""]), ("A=1", []),
        ("aa=1", []), ("a=b=c", ["b=c"]), ('a="1"', ['"1"']), ("", []), (";;;", []), ("=1", []), ("b=a=1", []),
    ],
)  # fmt: skip
def test_values(header: str, found: list[str]) -> None:
    assert cookies.values([("cookie", header), ("x", "a=9")], "a") == found


@pytest.mark.parametrize(
    ("header", "left"),
    [
        ("a=1", None), ("a=1; b=2", "b=2"), ("b=2; a=1", "b=2"), ("b=2;  c; a=1;d=4", "b=2;  c;d=4"), ("a=1; a=2", None),
        ("b=2 ", "b=2 "), ("aa=1", "aa=1"),
    ],
)  # fmt: skip
def test_without(header: str, left: str | None) -> None:
    headers = [("x", "1"), ("cookie", header), ("y", "2")]
    found = cookies.without(headers, {"a"})
    assert [value for name, value in found if name == "cookie"] == ([] if left is None else [left])
    assert [pair for pair in found if pair[0] != "cookie"] == [("x", "1"), ("y", "2")]


def test_headers_without_one_are_the_same() -> None:
    headers = [("cookie", "b=1"), ("x", "a=1")]
    assert cookies.without(headers, {"a"}) is headers


@given(st.lists(HEADER, max_size=3))
def test_what_is_left_has_none_and_all_others(values: list[str]) -> None:
    headers = [("cookie", value) for value in values]
    left = cookies.without(headers, {"a"})
    assert cookies.values(left, "a") == []
    assert cookies.values(left, "b") == cookies.values(headers, "b")
