"""How long requests took, from counts in log-spaced buckets: percentiles within 2 % of what they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from penstock.ledger.rollups import above

Counts = dict[int, int]
"""So many from each bound on, in microseconds, to the next."""
SHARES: Mapping[str, float] = {"p50_ms": 0.5, "p90_ms": 0.9, "p95_ms": 0.95, "p99_ms": 0.99}


def add(to: Counts, low: int, number: int) -> None:
    """Counts of two spans, or two groups, simply add up."""
    to[low] = to.get(low, 0) + number


def percentiles(counts: Mapping[int, int]) -> dict[str, Any]:
    """In milliseconds, None where nothing was counted; and how many were."""
    buckets = sorted(counts.items())
    total = sum(counts.values())
    found: dict[str, Any] = {"count": total}
    for name, share in SHARES.items():
        found[name] = _at(buckets, -(-total * int(share * 100) // 100)) if total else None
    return found


def _at(buckets: Iterable[tuple[int, int]], rank: int) -> float:
    """The middle of the bucket that the one of this rank lies in."""
    found = 0
    for low, number in buckets:
        found = low
        rank -= number
        if rank <= 0:
            break
    return (found + above(found) - 1) / 2 / 1000
