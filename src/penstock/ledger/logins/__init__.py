"""Registrations and login attempts: their rows, what an admin is told of them, and their end."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Literal

from msgspec import Struct

from penstock.ledger import days
from penstock.ledger.logins import sql
from penstock.ports import Row, Statement, Tables

By = Literal["hour", "day", "email", "ip", "country"]
BY: tuple[By, ...] = ("hour", "day", "email", "ip", "country")
UNKNOWN = "unknown"
LONGEST = 500
"""Characters kept of what somebody else wrote."""
SWEEP_ROWS = 500
_FIELDS = ("attempts", "succeeded", "failed", "registrations")


class Whence(Struct, frozen=True):
    """Where one came from: `country` empty where nobody says, `referrer` empty where none was sent."""

    id: str
    at: int
    ip: str
    country: str = ""
    referrer: str = ""


def registration(user_id: str, email: str, whence: Whence) -> Statement:
    """A registration that the service confirmed."""
    told = (user_id, email, whence.ip, whence.country, whence.referrer)
    return sql.REGISTERED, (whence.id, whence.at, *map(_kept, told))


def login(email: str, whence: Whence, *, success: bool) -> Statement:
    """A login attempt, however it ended."""
    return sql.TRIED, (
        whence.id,
        whence.at,
        _kept(email),
        int(success),
        _kept(whence.ip),
        _kept(whence.country),
    )


def hidden(email: str, secret: bytes) -> str:
    """An email as its keyed hash: the same for one address, in whatever case, and nobody's to guess without the key."""
    message = b"email\0" + email.strip().lower().encode("utf-8", "replace")
    return hmac.digest(secret, message, sha256).hex()


async def report(tables: Tables, *, since: int, until: int, by: By) -> dict[str, Any]:
    """`{rows: [{period | email | ip | country, attempts, succeeded, failed, registrations}], totals}` of [since, until) in ms."""
    span = since, until
    if by in ("hour", "day"):
        step = days.HOUR_MS if by == "hour" else days.DAY_MS
        logins = await tables.rows(sql.LOGINS_BY_SPAN, step, *span)
        registrations = await tables.rows(sql.REGISTRATIONS_BY_SPAN, step, *span)
        rows = _joined(logins, registrations, by)
    else:
        found = await tables.rows(sql.BY[by], *span)
        rows = [{by: row[0], **_counts((row[1], row[2]), row[3])} for row in found]
    [(attempts, succeeded)] = await tables.rows(sql.TOTALS, *span)
    [(registered,)] = await tables.rows(sql.TOTAL_REGISTRATIONS, *span)
    totals = _counts((attempts, succeeded), registered)
    return {"rows": rows, "totals": totals}


async def sweep(tables: Tables, before: int) -> bool:
    """Drops rows older than that, at most `SWEEP_ROWS` of each kind; whether there may be more."""
    swept = await tables.batch(
        (sql.SWEEP_LOGINS, (before, SWEEP_ROWS)), (sql.SWEEP_REGISTRATIONS, (before, SWEEP_ROWS))
    )
    return max(map(len, swept)) == SWEEP_ROWS


def _joined(logins: Sequence[Row], registrations: Sequence[Row], by: By) -> list[dict[str, Any]]:
    tried: Mapping[int, tuple[int, int]] = {row[0]: (row[1], row[2]) for row in logins}
    registered: Mapping[int, int] = {row[0]: row[1] for row in registrations}
    return [
        {"period": _period(at, by), **_counts(tried.get(at, (0, 0)), registered.get(at, 0))}
        for at in sorted({**tried, **registered})
    ]


def _period(at: int, by: By) -> str:
    return days.iso(at)[:13] + ":00Z" if by == "hour" else days.day(at)


def _counts(tried: tuple[int, int], registered: int) -> dict[str, int]:
    attempts, succeeded = tried
    return dict(zip(_FIELDS, (attempts, succeeded, attempts - succeeded, registered), strict=True))


def _kept(text: str) -> str:
    """What a table can hold of a text, and what a page of it bears to show."""
    return "".join(c for c in text[:LONGEST] if c.isprintable())
