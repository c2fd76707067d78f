"""What a Worker does each minute, called by its Cron Trigger."""

from __future__ import annotations

from penstock.gateway import Gateway
from penstock.gateway.upkeep import upkeep
from penstock.upstream.reconcile import Reconciler, in_pieces, keep_progress, progress_of

MOST_QUESTIONS = 40
"""Of the reconciler in one piece: the free plan bears 50 subrequests, and a start takes a few."""
MOST_PIECES = 20
"""Of one pass: the paid plan bears a thousand queries of D1. On the free one the second piece is refused in its course."""


async def scheduled(gateway: Gateway) -> None:
    """One pass of the reconciler, from where the last one left off, and what else is due now and then."""
    platform = gateway.platform
    progress = await progress_of(platform.tables)
    reconciler = Reconciler(
        platform.tables, platform.fetch, platform.clock, gateway.config.providers, progress
    )

    async def keep() -> None:
        await keep_progress(platform.tables, reconciler.progress)
        await upkeep(gateway)

    await in_pieces(reconciler, MOST_QUESTIONS, MOST_PIECES, keep)
