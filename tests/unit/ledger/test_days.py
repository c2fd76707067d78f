"""UTC days and instants without a clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.ledger import days

SPAN = st.integers(0, 4_102_444_800_000)


@given(SPAN)
def test_an_instant_survives_the_round(milliseconds: int) -> None:
    assert days.parse(days.iso(milliseconds)) == milliseconds
    assert days.iso(milliseconds).startswith(days.day(milliseconds))


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-01", "2026-11-23T25:00:00Z", "1e9", "٢٠٢٦-01-01x"]
)
def test_what_is_no_instant(text: str) -> None:
    assert days.parse(text) is None


def test_zones() -> None:
    assert days.parse("2026-11-23T01:00:00+01:00") == days.parse("2026-11-23")
