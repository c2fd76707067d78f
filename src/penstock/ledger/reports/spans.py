"""Spans of time: the whole hours or days in one, which sums answer, and its ragged ends, which the ledger does."""

from __future__ import annotations

from msgspec import Struct

from penstock.ledger import days

ALL = 1 << 52
"""A period that never ends: all rows lie in its first."""


class Cut(Struct, frozen=True):
    """`whole` from `since` to `until`, and what is left of the span before and after."""

    since: int
    until: int
    ragged: tuple[int, int, int, int]


def cut(since: int, until: int, grain: int) -> Cut:
    """A span [since, until) in ms by whole multiples of `grain`; an empty part begins and ends at 0."""
    first, last = up(since, grain), until // grain * grain
    if first >= last:
        return Cut(0, 0, (since, until, 0, 0))
    before = (since, first) if since < first else (0, 0)
    after = (last, until) if last < until else (0, 0)
    return Cut(first, last, (*before, *after))


def up(at: int, grain: int) -> int:
    """The next whole multiple, or itself."""
    return -(-at // grain) * grain


def period(start: int, by: str) -> str:
    """How a period is called: `2026-11-23T18:00Z`, `2026-11-23`, `2026-11`; empty where there is but one."""
    if by == "hour":
        return days.iso(start)[:13] + ":00Z"
    return {"day": days.day(start), "month": days.day(start)[:7]}.get(by, "")
