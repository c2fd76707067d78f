"""The prober in the background of a server: each second, the backends of services whose turn it is."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from penstock.entry.reload import Serving

LOOK_SECONDS = 1.0


async def probing(serving: Serving, stop: asyncio.Event) -> None:
    """Until told to stop, each process at its own moments; the backends are those of the gateway that serves now."""
    while not stop.is_set():
        platform = serving.gateway.platform
        serving.gateway.lasting.pools.probe(
            platform.fetch, platform.clock, platform.ids, platform.spawn
        )
        with suppress(TimeoutError):
            async with platform.clock.timeout(LOOK_SECONDS):
                await stop.wait()
