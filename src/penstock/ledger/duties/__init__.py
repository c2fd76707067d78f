"""Monthly reports that are to be made: each by one process at a time, and again by another where that one went away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct

from penstock.ledger import days
from penstock.ledger.duties import sql
from penstock.ports import Tables

LEASE_MS = 600_000
"""How long whoever claimed a report has for making and sending it; then it is another's."""
BACKOFF_MS = (60_000, 300_000, 900_000, 1_800_000, 3_600_000)
"""After the first, second, third … attempt that failed; after the last of them always so long."""
AHEAD_MS = 2 * days.HOUR_MS
"""Nothing is put off for longer: a time beyond that is of a clock that was ahead, and is taken as past."""
MOST_ATTEMPTS = 60
"""About two and a half days of them."""
MOST_LISTED = 200

Outcome = Literal["made", "sent", "empty", "given_up"]


class Duty(Struct, frozen=True):
    """One report that is this process's to make; `attempts` counts the one that begins now."""

    month: str
    tenant: str
    attempts: int


async def claim(tables: Tables, month: str, tenant: str, now: int) -> Duty | None:
    """The report of a month, for whoever asked first; None where it is done, another's, or not due again yet."""
    found = await tables.rows(sql.FIND, month, tenant)
    if found and (found[0][0] or now < found[0][1] <= now + AHEAD_MS):
        return None
    note = [] if found else [(sql.NOTE, (month, tenant, now))]
    *_, rows = await tables.batch(
        *note, (sql.CLAIM, (now + LEASE_MS, now, now + AHEAD_MS, month, tenant))
    )
    return Duty(month, tenant, rows[0][0]) if rows else None


async def done(tables: Tables, duty: Duty, outcome: Outcome, now: int, error: str = "") -> None:
    """It is, in one way or the other."""
    await tables.batch((sql.END, (outcome, error, now, duty.month, duty.tenant)))


async def failed(tables: Tables, duty: Duty, error: str, now: int, *, last: bool) -> bool:
    """It is not, for the reason of that code: it is due again later, or (then this is true) given up."""
    if last or duty.attempts >= MOST_ATTEMPTS:
        await done(tables, duty, "given_up", now, error)
        return True
    due = now + BACKOFF_MS[min(duty.attempts, len(BACKOFF_MS)) - 1]
    await tables.batch((sql.AGAIN, (due, error, duty.month, duty.tenant, duty.attempts)))
    return False


async def listed(tables: Tables) -> list[dict[str, Any]]:
    """The newest first: how each stands."""
    rows: Sequence[Any] = await tables.rows(sql.LISTED, MOST_LISTED)
    return [
        {
            "month": month,
            "tenant": tenant or None,
            "state": outcome or "waiting",
            "attempts": attempts,
            "ended": days.iso(ended) if ended else None,
            "error": error or None,
        }
        for month, tenant, attempts, outcome, ended, error in rows
    ]
