"""The upkeep in the background of a server: a pass at the start, then one every 30 s."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from penstock.entry.reload import Serving
from penstock.errors import Unavailable
from penstock.gateway.upkeep import upkeep

EVERY_SECONDS = 30.0


async def upkeeping(serving: Serving, stop: asyncio.Event) -> None:
    """Passes until told to stop, each process at its own moments, by the configuration that holds now."""
    while not stop.is_set():
        gateway = serving.gateway
        platform = gateway.platform
        try:
            await upkeep(gateway)
        except Unavailable:
            pass  # the tables are out of reach, which readiness says
        except Exception as error:  # noqa: BLE001 - one bad pass must not end all later ones
            gateway.report("upkeep", error)
        with suppress(TimeoutError):
            async with platform.clock.timeout(EVERY_SECONDS * (0.75 + platform.ids.fraction() / 2)):
                await stop.wait()
