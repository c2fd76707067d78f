"""The mark of a call to a service: who shows it asks for a call that is charged already, from inside it."""

from __future__ import annotations

import hmac
import re

NAME = "x-penstock-call"
_SHAPE = re.compile(r"(?P<id>[A-Za-z0-9_.-]{1,128});(?P<until>\d{1,12});(?P<mac>[0-9a-f]{64})")


def mark(id: str, until: float, secret: bytes) -> str:
    """The mark of one attempt, good until then (seconds since the epoch)."""
    plain = f"{id};{int(until)}"
    return f"{plain};{_mac(plain, secret)}"


def holds(shown: str, now: float, secret: bytes) -> bool:
    """Whether this installation made it, and its call may still run."""
    found = _SHAPE.fullmatch(shown)
    if found is None or not secret or int(found["until"]) < now:
        return False
    return hmac.compare_digest(_mac(f"{found['id']};{found['until']}", secret), found["mac"])


def _mac(plain: str, secret: bytes) -> str:
    return hmac.digest(secret, b"call of a service\0" + plain.encode(), "sha256").hex()
