"""UTC days and hours of epoch milliseconds, without a clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR_MS = 3_600_000
DAY_MS = 86_400_000


def at(milliseconds: int) -> datetime:
    """The instant in UTC."""
    return EPOCH + timedelta(milliseconds=milliseconds)


def day(milliseconds: int) -> str:
    """The UTC day, `2026-11-23`."""
    return _day(milliseconds // DAY_MS)


@lru_cache(maxsize=64)
def _day(number: int) -> str:
    return (EPOCH + timedelta(days=number)).strftime("%Y-%m-%d")


def iso(milliseconds: int) -> str:
    """The instant as `2026-11-23T18:50:00.000Z`."""
    return at(milliseconds).strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1000:03d}Z"


def parse(text: str) -> int | None:
    """Milliseconds of an ISO 8601 date or instant (UTC where it names no zone); None where it is neither."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return (found - EPOCH) // timedelta(milliseconds=1)


def is_day(text: str) -> bool:
    """Whether it is a date without a time, in any form that `parse` takes."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def span(period: Literal["hour", "day", "month"], milliseconds: int) -> tuple[int, int]:
    """Beginning and end of the UTC hour, day or month that an instant lies in."""
    if period != "month":
        step = HOUR_MS if period == "hour" else DAY_MS
        start = milliseconds // step * step
        return start, start + step
    first = at(milliseconds).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    after = (first + timedelta(days=32)).replace(day=1)
    return _milliseconds(first), _milliseconds(after)


def _milliseconds(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(milliseconds=1)
