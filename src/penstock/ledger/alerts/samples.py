"""Errors and requests as they stood at earlier turns, so that the short windows of later ones can be told without reading rows.

Sums are of whole hours. What came between two moments is the difference of what stood in the hours at each; so a sample keeps
the last two hours of every route. They are thinned as they age.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec import Struct

from penstock.ledger import days

MINUTE_MS = 60_000
FINE_MS, COARSE_MS = 11 * MINUTE_MS, 5 * MINUTE_MS
"""So long every sample is kept, and then one in so long."""
KEPT_MS = 75 * MINUTE_MS
LATE_MS = 40_000
"""A turn comes this much sooner than a minute, or later, and its sample still counts."""

Counts = tuple[int, int]
"""Errors and requests."""
Key = tuple[int, str]
"""An hour and a route."""


class Sample(Struct, frozen=True, array_like=True):
    """What stood in the hours from `since` on."""

    at: int
    since: int
    counts: tuple[tuple[int, str, int, int], ...]


_decode = msgspec.json.Decoder(list[Sample]).decode


def decoded(text: str) -> list[Sample]:
    """The samples of earlier turns, oldest first; none where another version kept them."""
    try:
        return _decode(text)
    except msgspec.DecodeError:
        return []


def encoded(before: Sequence[Sample], counts: Mapping[Key, Counts], now: int) -> str:
    """Those and the one of this turn, without what is too old or too close together."""
    since = now // days.HOUR_MS * days.HOUR_MS - days.HOUR_MS
    newest = Sample(
        now, since, tuple((*key, *each) for key, each in counts.items() if key[0] >= since)
    )
    kept: list[Sample] = []
    for one in before:
        fine = now - one.at < FINE_MS
        apart = not kept or one.at // COARSE_MS != kept[-1].at // COARSE_MS
        if now - KEPT_MS < one.at < now and (fine or apart):
            kept.append(one)
    return msgspec.json.encode([*kept, newest]).decode()


def lately(
    before: Sequence[Sample], counts: Mapping[Key, Counts], now: int, window_ms: int, of: Callable[[Key], str]
) -> dict[str, Counts] | None:  # fmt: skip
    """What came in the last `window_ms`, by what `of` says (empty: left out); None where no sample is of about that time."""
    fitting = [one for one in before if one.at <= now - window_ms + LATE_MS]
    if not fitting or fitting[-1].at < now - 2 * window_ms - LATE_MS:
        return None
    then = fitting[-1]
    stood = {(hour, route): (bad, all) for hour, route, bad, all in then.counts}
    found: dict[str, Counts] = {}
    for key, (bad, all) in counts.items():
        subject = of(key)
        if not subject or key[0] < then.since:
            continue
        had = stood.get(key, (0, 0))
        so_far = found.get(subject, (0, 0))
        found[subject] = so_far[0] + max(0, bad - had[0]), so_far[1] + max(0, all - had[1])
    return found
