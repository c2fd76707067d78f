"""What another's probes found of backends, as this process last read it: on Workers, where none of its own run."""

from __future__ import annotations

from penstock.errors import Error
from penstock.ports import Platform, Probes
from penstock.upstream.pools import Pools

READ_SECONDS = 5.0
OLD_SECONDS = 30.0
"""What was read longer ago is not gone by: a request waits until it is read anew, and others that come meanwhile do not."""
PATIENCE_SECONDS = 1.0


class News:
    """It outlives requests; each reads by its own platform."""

    def __init__(self, pools: Pools) -> None:
        self._pools = pools
        self._read_at = float("-inf")

    async def hear(self, platform: Platform) -> None:
        """Has it read where it is time: beside this request, or before it."""
        now = platform.clock.tick()
        age = now - self._read_at
        if platform.probes is None or age < READ_SECONDS:
            return
        self._read_at = now
        reading = self._read(platform.probes, platform)
        if age < OLD_SECONDS:
            platform.spawn(reading)
        else:
            await reading

    async def _read(self, probes: Probes, platform: Platform) -> None:
        """What cannot be read leaves what is known."""
        try:
            async with platform.clock.timeout(PATIENCE_SECONDS):
                found = await probes(self._pools.any_bad())
        except (Error, TimeoutError):
            return
        self._pools.hear(found, platform.clock.tick())
