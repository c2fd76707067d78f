"""What an option's text stands for."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError

from penstock.ledger import days

_SPAN = re.compile(r"(\d{1,9})\s*(s|m|min|h|d)?")
MOST_WORKERS = 256
_SECONDS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}


def seconds(text: str) -> int:
    """`90`, `15min`, `12h` or `30d` in seconds."""
    found = _SPAN.fullmatch(text.strip())
    if not found or not int(found[1]):
        raise ArgumentTypeError(f"{text!r} is no length of time; write 90, 15min, 12h or 30d")
    return int(found[1]) * _SECONDS[found[2] or ""]


def instant(text: str) -> int:
    """An ISO 8601 day or instant, in epoch milliseconds."""
    found = days.parse(text)
    if found is None:
        raise ArgumentTypeError(f"{text!r} is no date; write 2026-01-31 or 2026-01-31T12:00:00Z")
    return found


def port(text: str) -> int:
    """A port number; 0 takes any free one."""
    if not text.isdecimal() or int(text) > 65_535:
        raise ArgumentTypeError(f"{text!r} is no port; write a number from 0 to 65535")
    return int(text)


def workers(text: str) -> int:
    """A number of processes."""
    if not text.isdecimal() or not 1 <= int(text) <= MOST_WORKERS:
        raise ArgumentTypeError(f"{text!r} is no number of processes; write 1 to {MOST_WORKERS}")
    return int(text)


def words(texts: list[str] | None) -> list[str]:
    """The words of a repeatable option, which spaces or commas may part too."""
    return [word for text in texts or [] for word in text.replace(",", " ").split()]
