"""HTTP dates in the three forms that RFC 9110 names, by own code: `email.utils` is much to import for a Worker."""

from __future__ import annotations

import re
from datetime import date

DAY_SECONDS = 86_400
_EPOCH = date(1970, 1, 1).toordinal()
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NUMBERS = {name.lower(): number for number, name in enumerate(_MONTHS, 1)}
_TIME = r"(?P<h>\d\d):(?P<m>\d\d):(?P<s>\d\d)"
_FORMS = tuple(
    re.compile(form, re.ASCII)
    for form in (
        rf"[a-z]{{3}}, (?P<day>\d\d) (?P<month>[a-z]{{3}}) (?P<year>\d{{4}}) {_TIME} gmt",
        rf"[a-z]{{6,9}}, (?P<day>\d\d)-(?P<month>[a-z]{{3}})-(?P<year>\d\d) {_TIME} gmt",
        rf"[a-z]{{3}} (?P<month>[a-z]{{3}}) (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})",
    )
)


def parse(text: str, now: float) -> int | None:
    """Seconds since the epoch, or None for what is no date. A year of two digits is the one nearest to `now`."""
    lower = text.strip().lower()
    for form in _FORMS:
        if found := form.fullmatch(lower):
            return _seconds(found, now)
    return None


def write(seconds: float) -> str:
    """`Sun, 06 Nov 1994 08:49:37 GMT`."""
    days, rest = divmod(int(seconds), DAY_SECONDS)
    day = date.fromordinal(days + _EPOCH)
    hour, minute, second = rest // 3600, rest // 60 % 60, rest % 60
    name, month = _DAYS[day.weekday()], _MONTHS[day.month - 1]
    return f"{name}, {day.day:02} {month} {day.year:04} {hour:02}:{minute:02}:{second:02} GMT"


def _seconds(found: re.Match[str], now: float) -> int | None:
    hour, minute, second = int(found["h"]), int(found["m"]), int(found["s"])
    month = _NUMBERS.get(found["month"], 0)
    if hour > 23 or minute > 59 or second > 60:
        return None
    try:
        day = date(_year(found["year"], now), month, int(found["day"]))
    except ValueError:
        return None
    return (day.toordinal() - _EPOCH) * DAY_SECONDS + hour * 3600 + minute * 60 + min(second, 59)


def _year(digits: str, now: float) -> int:
    """RFC 9110: a year that seems more than 50 years ahead is the last in the past with these digits."""
    if len(digits) == 4:
        return int(digits)
    this = date.fromordinal(int(now) // DAY_SECONDS + _EPOCH).year
    year = this - this % 100 + int(digits)
    return year - 100 if year > this + 50 else year
