"""What callers say of their own requests: the last word under each name counts."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from penstock.ledger.feedback import sql
from penstock.ports import Statement, Tables

SCORE = "score"
"""The name of a plain score, from -1 to 1."""
MOST_NAMES = 8
"""Of one request."""
SWEEP_ROWS = 500


class Feedback(Struct, frozen=True):
    """One value for one request; `at` in milliseconds."""

    request_id: str
    name: str
    owner: str
    tenant: str
    value: float
    at: int


async def is_of(tables: Tables, request_id: str, owner: str) -> bool:
    """Whether a request is this owner's, as far as it was written down."""
    rows = await tables.rows(sql.WHOSE, request_id)
    return bool(rows) and {row[0] for row in rows} == {owner}


def put(one: Feedback) -> Statement:
    """Keeps it in the place of what stood under its name; returns no row where the request has names enough."""
    values = (one.request_id, one.name, one.owner, one.tenant, float(one.value), one.at)
    return sql.PUT, (*values, MOST_NAMES)


async def of(tables: Tables, request_id: str) -> dict[str, Any]:
    """Each name's value for a request."""
    return {name: value for name, value, _ in await tables.rows(sql.OF, request_id)}


async def sweep(tables: Tables, before: int) -> bool:
    """Drops what is older than that, at most `SWEEP_ROWS`; whether there may be more."""
    [rows] = await tables.batch((sql.SWEEP, (before, SWEEP_ROWS)))
    return len(rows) == SWEEP_ROWS


async def forget(tables: Tables, tenant: str, owner: str = "") -> int:
    """Drops all of a tenant, or of one owner in it; how many there were."""
    found = 0
    while True:
        [rows] = await tables.batch((sql.FORGET, (tenant, owner, SWEEP_ROWS)))
        found += len(rows)
        if len(rows) < SWEEP_ROWS:
            return found
