"""The reconciler in the background of a server: a pass at the start, then one every 30 s."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

from penstock.config import Provider
from penstock.errors import Unavailable
from penstock.ports import Platform
from penstock.upstream.reconcile import Reconciler

EVERY_SECONDS = 30.0


async def reconciling(
    platform: Platform,
    providers: Mapping[str, Provider],
    stop: asyncio.Event,
    report: Callable[[str, BaseException], None],
) -> None:
    """Passes until told to stop, each process at its own moments; what a failed pass left, the next one does."""
    reconciler = Reconciler(platform.tables, platform.fetch, platform.clock, providers)
    while not stop.is_set():
        try:
            await reconciler.once()
        except Unavailable:
            pass  # the tables are out of reach, which readiness says
        except Exception as error:  # noqa: BLE001 - one bad pass must not end all later ones
            report("reconcile", error)
        with suppress(TimeoutError):
            async with platform.clock.timeout(EVERY_SECONDS * (0.75 + platform.ids.fraction() / 2)):
                await stop.wait()
