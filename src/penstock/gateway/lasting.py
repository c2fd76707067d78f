"""What outlives a configuration: a gateway that takes another's place goes on with it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from penstock.cache.flights import Flights
from penstock.cache.generations import Generations
from penstock.cache.purchases import Purchases
from penstock.gateway.admission import Admission
from penstock.gateway.air import Air, Regular
from penstock.gateway.behind import Behind
from penstock.gateway.bodies import Bodies
from penstock.gateway.counters import Counters, Load
from penstock.gateway.drains import Drains
from penstock.gateway.ingests import Ingests
from penstock.gateway.tenant_keys import Known
from penstock.ledger.journal import Journal
from penstock.ports import Platform
from penstock.upstream.budget import RetryBudget
from penstock.upstream.deployments import Fleet
from penstock.upstream.pools import Pools

CLAIMS_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Lasting:
    """Made once a process (in part once a request, see `alone`): rows that wait, counts, purges, and all that is in the air and bounded together."""

    journal: Journal
    counters: Counters
    generations: Generations
    flights: Flights
    purchases: Purchases
    drains: Drains
    retries: RetryBudget
    admission: Admission
    bodies: Bodies
    pools: Pools
    air: Air
    claims: Regular
    """When old claims of keys are swept."""
    fleet: Fleet
    tenant_keys: Known
    ingests: Ingests
    behind: Behind

    def load(self) -> Load:
        """How full all of it is."""
        slots = self.admission
        return Load(slots.running, slots.waiting, slots.pace.limit, slots.refused, self.bodies.held)


def lasting(platform: Platform) -> Lasting:
    """That of the first gateway on a platform."""
    clock = platform.clock
    air = Air(clock.tick())
    return Lasting(
        Journal(platform.tables, clock, platform.spawn),
        Counters(),
        Generations(platform.tables, clock),
        Flights(),
        Purchases(),
        Drains(clock, platform.spawn),
        air.retries,
        Admission(clock, platform.ids, platform.spawn),
        air.bodies,
        Pools(),
        air,
        Regular(CLAIMS_SECONDS),
        Fleet(),
        Known(),
        Ingests(clock),
        Behind(platform.spawn),
    )


def alone(platform: Platform, before: Lasting) -> Lasting:
    """That of one request where none may wait for another: what is counted and known goes on, all that waits is its own."""
    air = before.air
    air.renew(before.pools, before.fleet, platform.clock.tick())
    return replace(
        before,
        retries=air.retries,
        bodies=air.bodies,
        journal=Journal(platform.tables, platform.clock, platform.spawn, before.counters.lose),
        flights=Flights(),
        purchases=Purchases(),
        drains=Drains(platform.clock, platform.spawn),
        admission=Admission(platform.clock, platform.ids, platform.spawn),
        ingests=Ingests(platform.clock),
    )
