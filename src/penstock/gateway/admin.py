"""What only an admin sees: counters and the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.auth import tenant_keys
from penstock.auth.caller import owner_named
from penstock.errors import BadRequest
from penstock.gateway import backends, tally
from penstock.gateway import deployments as standing
from penstock.gateway.exchange import Exchange
from penstock.gateway.measures import family, one
from penstock.gateway.tenant_keys import Keeper, plain
from penstock.ledger import reports
from penstock.ports import Traces
from penstock.wire.http import JSON, Response
from penstock.wire.json import decode_object, encode

if TYPE_CHECKING:
    from penstock.gateway import Gateway

NO_STORE = ("cache-control", "no-store")
PRIVATE = (JSON, NO_STORE)
OWN_KEY = ("tenant", "provider", "key")
TEXT = ("content-type", "text/plain; version=0.0.4; charset=utf-8")


async def metrics(gateway: Gateway, exchange: Exchange) -> Response:
    """Counters and gauges in Prometheus' text form, of all processes that serve this port, and how all of it stands."""
    from penstock.gateway.installed import told  # requests start without it

    text = tally.added([own_metrics(gateway), *gateway.counters.elsewhere()])
    return Response(200, [TEXT, NO_STORE], (text + await told(gateway)).encode())


def own_metrics(gateway: Gateway) -> str:
    """Those of this process."""
    own = gateway.counters.text(gateway.journal.dropped, gateway.lasting.load())
    now = gateway.platform.clock.tick()
    own += (
        _spans(gateway.platform.traces)
        + backends.metrics(gateway.lasting.pools)
        + gateway.lasting.behind.metrics()
    )
    return own + standing.metrics(gateway.lasting.fleet, now)


def _spans(traces: Traces | None) -> str:
    dropped, failed = (traces.dropped, traces.failed) if traces is not None else (0, 0)
    return family(
        "penstock_spans_dropped_total", "Spans that found no room.", one(dropped)
    ) + family("penstock_spans_failed_total", "Spans that could not be sent.", one(failed))


async def services(gateway: Gateway, exchange: Exchange) -> Response:
    """The services and how their backends stand, as this process sees them."""
    now = gateway.platform.clock.tick()
    listed = backends.listed(gateway.config.services, gateway.lasting.pools, now)
    return Response(200, PRIVATE, encode({"services": listed}))


async def deployments(gateway: Gateway, exchange: Exchange) -> Response:
    """The targets' deployments and how they stand, as this process sees them."""
    listed = standing.listed(gateway.lasting.fleet, gateway.platform.clock.tick())
    return Response(200, PRIVATE, encode({"targets": listed}))


async def own_keys(gateway: Gateway, exchange: Exchange) -> Response:
    """Tenants' own keys, of all tenants or of one: never the keys themselves."""
    tenant = exchange.query().get("tenant")
    if tenant == "":
        raise BadRequest(
            "'tenant' names one, or is left out.", code="invalid_field", param="tenant"
        )
    found = await tenant_keys.listing(gateway.platform.tables, tenant or "")
    return Response(200, PRIVATE, encode({"keys": plain(found)}))


async def put_own_key(gateway: Gateway, exchange: Exchange) -> Response:
    """Keeps a tenant's own key for a provider, in the place of the one before it."""
    body, _ = decode_object(await exchange.read())
    fields = [body.get(name) for name in OWN_KEY]
    if set(body) != set(OWN_KEY) or not all(isinstance(one, str) for one in fields):
        raise BadRequest(f"The body must have the strings {', '.join(OWN_KEY)}, and no more.")
    tenant, provider, key = map(str, fields)
    now = gateway.platform.clock.now()
    made = await _keeper(gateway).put(tenant, provider, key, now)
    await gateway.generations.read()
    return Response(200, PRIVATE, encode(plain([made])[0]))


async def drop_own_key(gateway: Gateway, exchange: Exchange) -> Response:
    """Forgets a tenant's own key, and says whether there was one."""
    wanted = exchange.query()
    if set(wanted) != {"tenant", "provider"} or not all(wanted.values()):
        raise BadRequest("Name 'tenant' and 'provider' in the query.", code="invalid_field")
    was = await _keeper(gateway).drop(wanted["tenant"], wanted["provider"])
    await gateway.generations.read()
    return Response(200, PRIVATE, encode({"deleted": was}))


def _keeper(gateway: Gateway) -> Keeper:
    platform = gateway.platform
    return Keeper(gateway.config, platform.secret, platform.tables, platform.crypto, platform.ids)


async def cache_stats(gateway: Gateway, exchange: Exchange) -> Response:
    """Hits and misses of each kind."""
    await gateway.journal.flush()
    counts = await reports.cache_counts(gateway.platform.tables)
    return Response(200, PRIVATE, encode({"kinds": counts}))


async def cache_purge(gateway: Gateway, exchange: Exchange) -> Response:
    """Purges by kind, key, owner, model, route, URL or tag, all that are named; everything where none is."""
    wanted = exchange.query()
    if wanted.get("owner"):
        wanted["owner"] = owner_named(wanted["owner"])
    await gateway.generations.purge(wanted, gateway.platform.tables)
    return Response(200, PRIVATE, encode({"purged": wanted or "all"}))
