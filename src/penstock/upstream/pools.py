"""The pools of all services: what is known of their backends outlives a configuration, and on Workers a request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from penstock.config import Backend, Service
from penstock.errors import Failed
from penstock.ports import Clock, Fetch, Ids, Probed, Spawn
from penstock.upstream.budget import RetryBudget
from penstock.upstream.health import PROBE_LIMIT_SECONDS, Member, Pool
from penstock.wire.http import Request, Timeouts

PROBE_REPLY = 64 << 10
_LIMITS = Timeouts(*[PROBE_LIMIT_SECONDS] * 4)


class Pools:
    """A pool a service, by name."""

    def __init__(self) -> None:
        self._pools: dict[str, Pool] = {}

    def renew(self, services: Mapping[str, Service], now: float, *, probed: bool) -> None:
        """As they are configured now; of a backend that stays all that is known stays. `probed` where somebody probes."""
        self._pools = {
            name: self._renewed(name, service, now, probed=probed)
            for name, service in services.items()
        }

    def of(self, name: str) -> Pool:
        return self._pools[name]

    def items(self) -> Iterable[tuple[str, Pool]]:
        return self._pools.items()

    def forget(self) -> None:
        """Counts what is in the air anew: on Workers, where a request that is killed never takes back what it counted."""
        for pool in self._pools.values():
            pool.retries = RetryBudget()
            for member in pool.members:
                member.forget()

    def named(self) -> dict[str, Member]:
        """One backend of each name that has a health to ask for."""
        return {_name(m): m for pool in self._pools.values() for m in pool.members if m.health}

    def any_bad(self) -> bool:
        """Whether one is bad that can be probed."""
        return any(m.bad and m.health for pool in self._pools.values() for m in pool.members)

    def hear(self, found: Iterable[Probed], now: float) -> None:
        """What another's probes of these backends found."""
        told = {one.backend: one for one in found}
        for pool in self._pools.values():
            for member in pool.members:
                if member.health and (one := told.get(_name(member))) is not None:
                    pool.told(member, now - one.age, now, well=one.well)

    def probe(self, fetch: Fetch, clock: Clock, ids: Ids, spawn: Spawn) -> None:
        """Sends out the probes that are due."""
        for pool in self._pools.values():
            for member in pool.due(clock.tick()):
                spawn(_probed(pool, member, fetch, clock, ids))

    def _renewed(self, name: str, service: Service, now: float, *, probed: bool) -> Pool:
        before = self._pools.get(name)
        known = {member.url: member for member in before.members} if before else {}
        members = [
            _stays(known[one.url], one, probed=probed)
            if one.url in known
            else Member(one.url, one.weight, one.health, probed=probed, now=now)
            for one in service.backends
        ]
        if before is None:
            return Pool(members, service.balance)
        before.become(members, service.balance)
        return before


def _name(member: Member) -> str:
    return member.url + member.health


def _stays(member: Member, backend: Backend, *, probed: bool) -> Member:
    member.weight, member.health = backend.weight, backend.health
    member.probed = probed and bool(backend.health)
    return member


async def _probed(pool: Pool, member: Member, fetch: Fetch, clock: Clock, ids: Ids) -> None:
    well = False
    try:
        well = await is_well(fetch, member)
    finally:
        pool.found(member, clock.tick(), ids.fraction(), well=well)


async def is_well(fetch: Fetch, member: Member) -> bool:
    """One probe."""
    target = _name(member).encode()
    request = Request("GET", target, timeouts=_LIMITS, max_reply=PROBE_REPLY)
    try:
        response = await fetch(request)
    except Failed:
        return False
    await response.aclose()
    return 200 <= response.status < 400
