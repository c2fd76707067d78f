"""What was used, what it cost and how it went: sums from the roll-ups, and from the rows that are not in them yet."""

from __future__ import annotations

from penstock.ledger.days import HOUR_MS
from penstock.ledger.reports.usage import BY, By, cache_counts, usage

__all__ = ["BY", "HOUR_MS", "By", "cache_counts", "usage"]
