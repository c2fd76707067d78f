"""What only an admin sees: counters and the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.auth.caller import owner_named
from penstock.gateway import backends, tally
from penstock.gateway import deployments as standing
from penstock.gateway.exchange import Exchange
from penstock.ledger import reports
from penstock.wire.http import JSON, Response
from penstock.wire.json import encode

if TYPE_CHECKING:
    from penstock.gateway import Gateway

TEXT = ("content-type", "text/plain; version=0.0.4; charset=utf-8")


async def metrics(gateway: Gateway, exchange: Exchange) -> Response:
    """Counters and gauges in Prometheus' text form, of all processes that serve this port."""
    text = tally.added([own_metrics(gateway), *gateway.counters.elsewhere()])
    return Response(200, [TEXT], text.encode())


def own_metrics(gateway: Gateway) -> str:
    """Those of this process."""
    own = gateway.counters.text(gateway.journal.dropped, gateway.lasting.load())
    now = gateway.platform.clock.tick()
    own += backends.metrics(gateway.lasting.pools)
    return own + standing.metrics(gateway.lasting.fleet, now)


async def services(gateway: Gateway, exchange: Exchange) -> Response:
    """The services and how their backends stand, as this process sees them."""
    now = gateway.platform.clock.tick()
    listed = backends.listed(gateway.config.services, gateway.lasting.pools, now)
    return Response(200, [JSON], encode({"services": listed}))


async def deployments(gateway: Gateway, exchange: Exchange) -> Response:
    """The targets' deployments and how they stand, as this process sees them."""
    listed = standing.listed(gateway.lasting.fleet, gateway.platform.clock.tick())
    return Response(200, [JSON], encode({"targets": listed}))


async def cache_stats(gateway: Gateway, exchange: Exchange) -> Response:
    """Hits and misses of each kind."""
    await gateway.journal.flush()
    counts = await reports.cache_counts(gateway.platform.tables)
    return Response(200, [JSON], encode({"kinds": counts}))


async def cache_purge(gateway: Gateway, exchange: Exchange) -> Response:
    """Purges by kind, key, owner, model or route, all that are named; everything where none is."""
    wanted = exchange.query()
    if wanted.get("owner"):
        wanted["owner"] = owner_named(wanted["owner"])
    await gateway.generations.purge(wanted, gateway.platform.tables)
    return Response(200, [JSON], encode({"purged": wanted or "all"}))
