"""What has to be done now and then, by whichever process comes to it: one pass of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.ledger import days, logins

if TYPE_CHECKING:
    from penstock.gateway import Gateway

MOST_SWEEPS = 20
"""Of each kind in one pass: what is left, the next one does."""


async def upkeep(gateway: Gateway) -> None:
    """One pass; raises Unavailable where the tables are out of reach."""
    await _sweep_logins(gateway)


async def _sweep_logins(gateway: Gateway) -> None:
    kept = gateway.config.accounts.retention_days
    before = int(gateway.platform.clock.now() * 1000) - kept * days.DAY_MS
    for _ in range(MOST_SWEEPS):
        if not await logins.sweep(gateway.platform.tables, before):
            return
