"""What an admin's dashboard asks for: overview, series, top, budgets, costs, logins and exports, all of them read only."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from penstock.auth.caller import owner_of
from penstock.errors import BadRequest
from penstock.gateway.exchange import Exchange
from penstock.gateway.paging import fields, limit
from penstock.gateway.upkeep import caught_up
from penstock.gateway.usage import instants, open_span
from penstock.ledger import budgets, days, exports, logins
from penstock.ledger.reports import costs, figures, latencies, sql
from penstock.ledger.reports.figures import Asked, Key, share
from penstock.ports import Tables
from penstock.wire.embeddings import dollars
from penstock.wire.http import JSON, Response
from penstock.wire.json import encode

if TYPE_CHECKING:
    from penstock.gateway import Gateway

Choice = TypeVar("Choice", bound=str)
FILTERS = ("service", "route", "provider", "model", "tenant", "user")
PERIODS: tuple[figures.By, ...] = ("hour", "day", "month")
SAVED_BY: tuple[figures.By, ...] = ("day", "month")
ORDERS: tuple[sql.Order, ...] = ("cost", "requests", "tokens")
MOST_TOP = 100
MOST_BUDGETS = 100
_NAMES: Mapping[str, tuple[str, ...]] = {
    "": (),
    "service": ("service",), "provider": ("provider",), "model": ("service", "provider", "model"),
    "route": ("service", "route"), "tenant": ("tenant",), "user": ("user",),
}  # fmt: skip


async def overview(gateway: Gateway, exchange: Exchange) -> Response:
    """One page of figures: used, saved, served free or from the cache, how long it took and what failed."""
    query = fields(exchange, "from", "to", *FILTERS)
    asked = _asked(gateway, query)
    await caught_up(gateway)
    tables = gateway.platform.tables
    if asked.owned:
        return _reply({**_span(asked), "totals": await _totals(tables, asked), "latency": None})
    filtered = any(query.get(name) for name in FILTERS)

    async def quick() -> tuple[Any, ...]:
        return (
            await _totals(tables, asked),
            await figures.failed(tables, asked),
            await figures.cached(tables, asked.since, asked.until),
            await _savings(gateway, asked, filtered),
        )

    # Two reads at a time: the slowest, and beside it all others. More would leave requests no reader to look up a key with.
    counts, (totals, failed, cached, savings) = await asyncio.gather(
        figures.timed(tables, asked, 1), quick()
    )
    body = {**_span(asked), "totals": totals, "latency": _latency(counts, ("",))}
    body |= {"errors": _errors(failed, counts), "cache": cached}
    return _reply(body if filtered else {**body, "savings": savings})


async def series(gateway: Gateway, exchange: Exchange) -> Response:
    """The same by period, and by one key more."""
    query = fields(exchange, "from", "to", "by", "of", *FILTERS)
    asked = _asked(gateway, query, one_of(query, "by", PERIODS, "day"))
    await caught_up(gateway)
    tables = gateway.platform.tables
    found = await figures.sums(tables, asked)
    counts = await figures.timed(tables, asked, len(found))
    errors: dict[Key, int] = {}
    counted = not asked.owned and asked.of not in figures.MANY
    if counted:
        for key, _, _, number in await figures.failed(tables, asked):
            errors[key] = errors.get(key, 0) + number
    rows = []
    for key in sorted({*found, *errors, *(counts or {})}):
        sums = found.get(key, dict.fromkeys(sql.SUMS, 0))
        row = {**_named(asked.of, key), **_told(sums), "latency": _latency(counts, key)}
        rows.append(row | {"errors": errors.get(key, 0) if counted else None})
    return _reply({**_span(asked), "by": asked.by, "of": asked.of, "rows": rows})


async def top(gateway: Gateway, exchange: Exchange) -> Response:
    """Who or what used most."""
    query = fields(exchange, "from", "to", "of", "order", "limit", *FILTERS)
    order = one_of(query, "order", ORDERS, "cost")
    asked = _asked(gateway, {"of": "user", **query})
    most = limit(query, 10, MOST_TOP)
    await caught_up(gateway)
    found = await figures.top(gateway.platform.tables, asked, order, most)
    rows = [{**_named(asked.of, ("", *key)), **_told(sums)} for key, sums in found]
    for row in rows:
        row.pop("period", None)
    return _reply({**_span(asked), "of": asked.of, "order": order, "rows": rows})


async def savings(gateway: Gateway, exchange: Exchange) -> Response:
    """What all chats would have cost by the strong target, by day or month, beside what they did."""
    query = fields(exchange, "from", "to", "by", "tenant")
    asked = _asked(gateway, query, one_of(query, "by", SAVED_BY, "day"))
    await caught_up(gateway)
    name, price = figures.baseline(gateway.config) or (None, lambda day: None)
    found = await figures.saved_by(gateway.platform.tables, asked, price)
    rows = [
        {"period": called, "cost": dollars(spent), **_saved(would, spent)}
        for called, (would, spent) in sorted(found.items())
    ]
    known = [would for would, _ in found.values() if would is not None]
    would = sum(known) if name and len(known) == len(found) else None
    spent = sum(spent for _, spent in found.values())
    totals = {"cost": dollars(spent), **_saved(would, spent)}
    return _reply(
        {**_span(asked), "by": asked.by, "baseline": name, "rows": rows, "totals": totals}
    )


async def standing(gateway: Gateway, exchange: Exchange) -> Response:
    """The running budgets that are nearest to their cap, and how fast they go."""
    fields(exchange)
    now = _now(gateway)
    found = await budgets.nearest(gateway.platform.tables, now, MOST_BUDGETS)
    rows = [{**_plain(budgets.as_told(one)), **costs.burn(one, now)} for one in found]
    for row in rows:
        row["forecast"] = str(row["forecast"])
    return _reply({"budgets": rows})


async def bill(gateway: Gateway, exchange: Exchange) -> Response:
    """This month's bill by line: so far, as things go, and against what it may be."""
    fields(exchange)
    await caught_up(gateway)
    now = _now(gateway)
    config, tables = gateway.config, gateway.platform.tables
    measured = await costs.measured(config, tables, now)
    found = await costs.month(tables, config.costs, now, measured)
    for row in (*found["lines"], found["totals"]):
        row |= {name: str(value) for name, value in row.items() if name.endswith("_nanos") and value is not None}  # fmt: skip
    return _reply(found)


async def seen(gateway: Gateway, exchange: Exchange) -> Response:
    """Registrations and logins by period, with the share that succeeded, and where they came from."""
    query = fields(exchange, "from", "to", "by")
    by = one_of(query, "by", logins.BY, "day")
    since, until = instants(query, _now(gateway))
    await gateway.journal.flush()
    tables = gateway.platform.tables
    found = await logins.report(tables, since=since, until=until, by=by)
    countries = await logins.report(tables, since=since, until=until, by="country")
    for row in (*found["rows"], *countries["rows"], found["totals"]):
        row["success_share"] = share(row["succeeded"], row["attempts"])
    body = {"from": days.iso(since), "to": days.iso(until), "by": by, **found}
    return _reply({**body, "countries": countries["rows"]})


async def export(gateway: Gateway, exchange: Exchange) -> Response:
    """A whole table, streamed."""
    query = fields(exchange, "format", "from", "to")
    form = one_of(query, "format", exports.FORMATS, "csv")
    name = exchange.request.path.rpartition("/")[2]
    span = open_span(query) if {"from", "to"} & query.keys() else None
    await gateway.journal.flush()
    body = exports.Export(gateway.platform.tables, name, form, span)
    kind = "text/csv; charset=utf-8; header=present" if form == "csv" else "application/json"
    headers = [
        ("content-type", kind), ("cache-control", "no-store"), ("x-content-type-options", "nosniff"),
        ("content-disposition", f'attachment; filename="{name}.{form}"'),
    ]  # fmt: skip
    return Response(200, headers, body, verbatim=True)


def _asked(gateway: Gateway, query: Mapping[str, str], by: figures.By = "") -> Asked:
    since, until = instants(query, _now(gateway))
    of = one_of(query, "of", figures.OF, "")
    tenant, user = query.get("tenant", ""), query.get("user", "")
    if user and not tenant:
        raise BadRequest("Name the user's tenant too.", code="invalid_field", param="tenant")
    asked = Asked(
        since, until, by, of, query.get("service", ""), query.get("route", ""), query.get("provider", ""),
        query.get("model", ""), tenant, owner_of(tenant, user) if user else "",
    )  # fmt: skip
    return figures.whole(asked)


def one_of(
    query: Mapping[str, str], name: str, allowed: tuple[Choice, ...], default: Choice
) -> Choice:
    """One of a few words; raises BadRequest for another."""
    if name not in query:
        return default
    found = next((one for one in allowed if one and one == query[name]), None)
    if found is None:
        named = ", ".join(one for one in allowed if one)
        raise BadRequest(f"'{name}' is one of {named}.", code="invalid_field", param=name)
    return found


async def _totals(tables: Tables, asked: Asked) -> dict[str, Any]:
    found = await figures.sums(tables, asked)
    return _told(next(iter(found.values()), dict.fromkeys(sql.SUMS, 0)))


async def _savings(gateway: Gateway, asked: Asked, filtered: bool) -> dict[str, Any] | None:
    """Against all chats by the strong target; None where nothing has that place, its price is unknown, or not all is asked for."""
    against = figures.baseline(gateway.config)
    if filtered or against is None:
        return None
    name, price = against
    found = await figures.saved(gateway.platform.tables, asked, price)
    if found is None:
        return None
    return {"baseline": name, **_saved(found["would_cost_nanos"], found["cost_nanos"])}


def _saved(would: int | None, spent: int) -> dict[str, Any]:
    """What a baseline would have cost and what that saves; null where its price is not known."""
    saved = None if would is None else would - spent
    return {
        "wouldCostNanos": None if would is None else str(would),
        "costNanos": str(spent),
        "saved": None if saved is None else dollars(saved),
        "savedNanos": None if saved is None else str(saved),
        "share": None if saved is None or would is None else share(saved, would),
    }


def _told(sums: Mapping[str, int]) -> dict[str, Any]:
    """Sums of a cell, its shares, and its cost in dollars and exactly."""
    cost = sums["cost_nanos"]
    plain = {name: value for name, value in sums.items() if name != "cost_nanos"}
    return plain | {
        "cost": dollars(cost),
        "costNanos": str(cost),
        "cachedShare": share(sums["cached"], sums["requests"]),
        "freeShare": share(sums["cached"] + sums["free"], sums["requests"]),
    }


def _named(of: str, key: Key) -> dict[str, str]:
    return {"period": key[0], **dict(zip(_NAMES[of], key[1:], strict=True))}


def _latency(counts: Mapping[Key, latencies.Counts] | None, key: Key) -> dict[str, Any] | None:
    return None if counts is None else latencies.percentiles(counts.get(key, {}))


def _errors(
    failed: list[tuple[Key, int, str, int]], counts: Mapping[Key, latencies.Counts] | None
) -> dict[str, Any]:
    number = sum(one[3] for one in failed)
    answered = sum(sum(some.values()) for some in (counts or {}).values())
    by = [{"status": status, "code": code, "number": many} for _, status, code, many in failed]
    return {"number": number, "share": share(number, number + answered), "by": by[: figures.MOST_ERRORS]}  # fmt: skip


def _span(asked: Asked) -> dict[str, Any]:
    return {"from": days.iso(asked.since), "to": days.iso(asked.until)}


def _plain(told: Mapping[str, Any]) -> dict[str, Any]:
    amounts = ("cap", "reserved", "spent", "left")
    return {name: str(value) if name in amounts else value for name, value in told.items()}


def _now(gateway: Gateway) -> int:
    return int(gateway.platform.clock.now() * 1000)


def _reply(body: dict[str, Any]) -> Response:
    return Response(200, [JSON, ("cache-control", "no-store")], encode(body))
