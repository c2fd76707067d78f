"""What is kept beside the ledger goes again: by age, or all of a tenant or an owner, some rows at a time."""

from __future__ import annotations

from penstock.ports import Tables

SWEEP_ROWS = 500
"""That one statement drops, at most."""


async def sweep(tables: Tables, statement: str, before: int) -> bool:
    """Drops what is older than that, at most `SWEEP_ROWS`; whether there may be more."""
    [rows] = await tables.batch((statement, (before, SWEEP_ROWS)))
    return len(rows) == SWEEP_ROWS


async def forget(tables: Tables, statement: str, tenant: str, owner: str) -> int:
    """Drops all of a tenant, or of one owner in it; how many there were."""
    found = 0
    while True:
        [rows] = await tables.batch((statement, (tenant, owner, SWEEP_ROWS)))
        found += len(rows)
        if len(rows) < SWEEP_ROWS:
            return found
