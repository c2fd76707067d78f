"""What of a meter that processes share the memory platform leaves out: the places of the dead fall free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from penstock.platforms.memory import MemoryPlatform
from penstock.ports import Demand, Denial, Lease
from tests.simulation.air import now_of

if TYPE_CHECKING:
    from tests.simulation.replica import Replica

PLACES = "parallel"


@dataclass(frozen=True)
class Place:
    """What a replica holds of the meter, and until when at most."""

    holder: Replica
    until: float
    lease: Lease


@dataclass
class SharedMeter:
    """The memory platform's meter; a place falls free after its window, as in Redis."""

    platform: MemoryPlatform
    places: list[Place] = field(default_factory=list)

    def free(self, lease: Lease) -> None:
        self.places = [place for place in self.places if place.lease is not lease]

    def expire(self) -> None:
        """Frees the places whose time is over."""
        now = self.platform.clock.tick()
        for place in [place for place in self.places if place.until <= now]:
            self.free(place.lease)
            now_of(self.platform.meter.give(place.lease))

    def held(self) -> list[Place]:
        """What processes hold that still live."""
        return [place for place in self.places if not place.holder.dead]


class MeterOf:
    """A replica's way to the shared meter."""

    def __init__(self, shared: SharedMeter, replica: Replica) -> None:
        self._shared = shared
        self._meter = shared.platform.meter
        self._replica = replica
        self.mark = self._meter.mark

    async def take(self, demands: Sequence[Demand]) -> Lease | Denial:
        took = await self._meter.take(demands)
        windows = [demand.window for demand in demands if demand.kind == PLACES]
        if windows and isinstance(took, Lease):
            until = self._shared.platform.clock.tick() + max(windows)
            self._shared.places.append(Place(self._replica, until, took))
        return took

    async def give(self, lease: Lease, used: int | None = None) -> None:
        self._shared.free(lease)
        await self._meter.give(lease, used)

    def lost(self, took: Lease | Denial) -> None:
        """Who left while its take was on its way has it given back by its process, if that lives."""
        if isinstance(took, Lease) and not self._replica.dead:
            now_of(self.give(took))
