"""A value with its expiry before it, where the place that keeps it cannot be as exact."""

from __future__ import annotations

STAMP_BYTES = 8


def stamped(value: bytes, until: float) -> bytes:
    """The value with its time before it, in milliseconds since the epoch."""
    return round(until * 1000).to_bytes(STAMP_BYTES, "big") + value


def unstamped(found: bytes | None, now: float) -> bytes | None:
    """The value, or None where there is none or its time is over."""
    if found is None or int.from_bytes(found[:STAMP_BYTES], "big") <= round(now * 1000):
        return None
    return found[STAMP_BYTES:]
