"""Ranges: the part that is cut is the part that was asked for, and what cannot be read is ignored."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.cache.http import ranges
from penstock.cache.http.ranges import NOWHERE, Part


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("bytes=0-1", (0, 2)),
        ("bytes=1-", (1, 10)),
        ("bytes=-1", (9, 10)),
        ("bytes=-99", (0, 10)),
        ("bytes=0-99", (0, 10)),
        ("Bytes= 0-1 ", (0, 2)),
        ("bytes=10-", NOWHERE),
        ("bytes=10-12", NOWHERE),
        ("bytes=-0", NOWHERE),
        ("bytes=2-1", None),
        ("bytes=0-1,3-4", None),
        ("bytes=-", None),
        ("bytes=", None),
        ("bytes=a-b", None),
        ("items=0-1", None),
        ("bytes=0-" + "9" * 19, None),
        ("", None),
    ],
)
def test_part(wanted: str, found: Part | None) -> None:
    assert ranges.part(wanted, 10) == found


def test_of_nothing_there_is_no_part() -> None:
    assert ranges.part("bytes=0-", 0) == ranges.part("bytes=-5", 0) == NOWHERE


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_a_part_is_a_slice(first: int, last: int, size: int) -> None:
    body = bytes(range(size))
    found = ranges.part(f"bytes={first}-{last}", size)
    if found:
        assert body[found[0] : found[1]] == (body[first : last + 1] if found != NOWHERE else b"")
    else:
        assert last < first


@given(st.text(), st.integers(0, 1 << 40))
def test_no_text_raises(text: str, size: int) -> None:
    ranges.part(text, size)


def test_how_it_is_named() -> None:
    assert ranges.content_range((0, 2), 10) == "bytes 0-1/10"
    assert ranges.content_range(NOWHERE, 10) == "bytes */10"
