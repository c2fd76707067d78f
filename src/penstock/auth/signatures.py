"""Stripe's webhook signatures: whether one of our secrets signed these very bytes, and lately."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

TOLERANCE_SECONDS = 300
"""How old a signature may be, or how far ahead: older ones are replays, later ones are kept for a replay."""
LONGEST_HEADER = 4096
MOST_SIGNATURES = 16
_SCHEME = "v1"
_DIGITS = 64


def verified(header: str, body: bytes, secrets: Sequence[str], now: float) -> bool:
    """Whether `header` has a v1 signature of the body by one of the secrets, made within the tolerance of `now`."""
    at = signed_at(header)
    if at is None or abs(now - at) > TOLERANCE_SECONDS:
        return False
    shown = [value for name, value in _parts(header) if name == _SCHEME and len(value) == _DIGITS]
    made = [_mac(body, secret, at) for secret in secrets]
    # Each is compared with each: how long it takes says nothing of which was near.
    found = [
        hmac.compare_digest(one, other.encode())
        for one in made
        for other in shown[:MOST_SIGNATURES]
    ]
    return any(found)


def signed(body: bytes, secret: str, now: float) -> str:
    """A header as Stripe makes it."""
    at = int(now)
    return f"t={at},{_SCHEME}={_mac(body, secret, at).decode()}"


def signed_at(header: str) -> int | None:
    """The one time a header names, in seconds since the epoch; None where it is no such header."""
    if len(header) > LONGEST_HEADER or not header.isascii():
        return None
    times = [value for name, value in _parts(header) if name == "t"]
    if len(times) != 1 or not times[0].isdecimal() or len(times[0]) > 12:
        return None
    return int(times[0])


def _parts(header: str) -> list[tuple[str, str]]:
    pairs = (part.strip().partition("=") for part in header.split(","))
    return [(name, value) for name, _, value in pairs]


def _mac(body: bytes, secret: str, at: int) -> bytes:
    message = b"%d.%b" % (at, body)
    return hmac.digest(secret.encode(), message, "sha256").hex().encode()
