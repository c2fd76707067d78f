"""HTTP dates: each of the three forms is read, nothing else is, and nothing raises."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.wire import dates

NOW = 1_800_000_000.0  # 15 January 2027
MOMENT = 784_111_777

moments = st.integers(-2_000_000_000, 200_000_000_000)


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "  SUN, 06 nov 1994 08:49:37 gmt ",
    ],
)
def test_each_form_is_read(text: str) -> None:
    assert dates.parse(text, NOW) == MOMENT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "-1",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0100",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Abc 1994 08:49:37 GMT",
        "Sun, 0\u0666 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert dates.parse(text, NOW) is None


def test_a_leap_second_is_the_one_before_it() -> None:
    leap = dates.parse("Sat, 31 Dec 2016 23:59:60 GMT", NOW)
    assert leap == dates.parse("Sat, 31 Dec 2016 23:59:59 GMT", NOW)


@pytest.mark.parametrize(
    ("year", "means"), [("27", 2027), ("76", 2076), ("77", 2077), ("78", 1978)]
)
def test_two_digits_are_the_nearest_year_that_is_not_fifty_years_ahead(
    year: str, means: int
) -> None:
    found = dates.parse(f"Monday, 01-Mar-{year} 00:00:00 GMT", NOW)
    assert found == datetime(means, 3, 1, tzinfo=UTC).timestamp()


@given(moments)
def test_what_is_written_is_what_the_standard_library_writes_and_reads(seconds: int) -> None:
    text = dates.write(seconds)
    assert text == format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)
    assert dates.parse(text, NOW) == seconds == parsedate_to_datetime(text).timestamp()


@given(st.text(), st.floats(0, 4e9))
def test_no_text_raises(text: str, now: float) -> None:
    dates.parse(text, now)


@given(st.from_regex(r"[A-Z][a-z]{2,8}, [0-9 ]{1,2}[ -][A-Za-z]{3}[ -][0-9]{2,4} [0-9:]{8} GMT"))
def test_nothing_that_looks_like_a_date_raises(text: str) -> None:
    dates.parse(text, NOW)
