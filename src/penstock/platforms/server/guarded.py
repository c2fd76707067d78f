"""The meter of a process that may lose sight of Redis."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from msgspec.structs import replace

from penstock.errors import Unavailable
from penstock.platforms.memory.meter import MemoryMeter
from penstock.platforms.server.meter import Load, ServerMeter, Taken
from penstock.ports import Clock, Demand, Denial, Lease

REVOKED_SECONDS = 60.0
"""The wait named for a credential that the tables say is revoked: nobody waits it out."""

IsRevoked = Callable[[str], Awaitable[bool]]


class GuardedMeter:
    """ServerMeter; and while Redis is out of reach, revocations from the tables and unpaid rates in this process.

    A take that holds tokens or a parallel call, or counts to a `paid` policy, raises Unavailable then; so does every
    rate where `replicas` is 0. Others are admitted up to their limit divided by `replicas`, at least one: of all
    processes together no more than the limit (or one each) in a window, beside what Redis had counted before it went.
    """

    def __init__(
        self, meter: ServerMeter, clock: Clock, paid: frozenset[str], replicas: int
    ) -> None:
        self._meter = meter
        self._spare = MemoryMeter(clock)
        self._paid = paid
        self._replicas = replicas
        self._is_revoked: IsRevoked | None = None
        self.mark = meter.mark

    def load_marks_by(self, load: Load, is_revoked: IsRevoked) -> None:
        """How the marks are loaded where Redis has none, and how the tables are asked where there is no Redis."""
        self._meter.load_marks_by(load)
        self._is_revoked = is_revoked

    async def take(self, demands: Sequence[Demand]) -> Lease | Denial:
        try:
            return await self._meter.take(demands)
        except Unavailable:
            if not all(map(self._may_go_on, demands)):
                raise
        for demand in demands:
            if demand.kind == "alive" and await self._revoked(demand.key):
                return Denial((demand.policy,), REVOKED_SECONDS, (), (REVOKED_SECONDS,))
        rates = [self._share(demand) for demand in demands if demand.kind == "rate"]
        return await self._spare.take(rates)

    async def give(self, lease: Lease, used: int | None = None) -> None:
        await (self._meter if isinstance(lease, Taken) else self._spare).give(lease, used)

    def _may_go_on(self, demand: Demand) -> bool:
        if demand.kind == "rate":
            return self._replicas > 0 and demand.policy not in self._paid
        return demand.kind == "alive" and self._is_revoked is not None

    async def _revoked(self, key: str) -> bool:
        return self._is_revoked is not None and await self._is_revoked(key)

    def _share(self, demand: Demand) -> Demand:
        return replace(demand, limit=max(1, demand.limit // self._replicas))
