"""Usage reports: a caller's own, or everybody's for an admin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from penstock.errors import BadRequest
from penstock.gateway.exchange import Exchange
from penstock.gateway.upkeep import caught_up
from penstock.ledger import days, reports
from penstock.wire.embeddings import dollars
from penstock.wire.http import JSON, Response
from penstock.wire.json import encode

if TYPE_CHECKING:
    from penstock.gateway import Gateway

OWN = ("hour", "day", "model", "service")
DEFAULT_DAYS = 31
MOST_DAYS = 366
LAST = 253_000_000_000_000
"""In the year 9987, for days after the last of 9999 have no name: `to` is not later."""

Choice = TypeVar("Choice", bound=str)


async def own(gateway: Gateway, exchange: Exchange) -> Response:
    """The caller's own rows and totals."""
    return await _report(gateway, exchange, exchange.caller.owner, OWN)


async def everyone(gateway: Gateway, exchange: Exchange) -> Response:
    """The same for all; also by user and route."""
    return await _report(gateway, exchange, None, reports.BY)


async def _report(
    gateway: Gateway, exchange: Exchange, owner: str | None, allowed: tuple[str, ...]
) -> Response:
    since, until, by = span(exchange, int(gateway.platform.clock.now() * 1000), allowed)
    await caught_up(gateway)
    found = await reports.usage(
        gateway.platform.tables, owner=owner, since=since, until=until, by=by
    )
    body = {"rows": [_dollars(row) for row in found["rows"]], "totals": _dollars(found["totals"])}
    return Response(200, [JSON, ("cache-control", "no-store")], encode(body))


def span(exchange: Exchange, now: int, allowed: tuple[Choice, ...]) -> tuple[int, int, Choice]:
    """What a report's query asks for: from, to (in ms) and by what; raises BadRequest."""
    query = exchange.query()
    unknown = query.keys() - {"from", "to", "by"}
    if unknown:
        raise BadRequest(
            "Only from, to and by are taken.", code="invalid_field", param=min(unknown)[:50]
        )
    wanted = query.get("by", "day")
    by = next((one for one in allowed if one == wanted), None)
    if by is None:
        raise BadRequest(f"'by' is one of {', '.join(allowed)}.", code="invalid_field", param="by")
    return *instants(query, now), by


def instants(query: Mapping[str, str], now: int) -> tuple[int, int]:
    """`from` and `to` in ms, by default the last 31 days and today; raises BadRequest."""
    until = _instant(query, "to", (now // days.DAY_MS + 1) * days.DAY_MS)
    since = _instant(
        query, "from", (until - 1) // days.DAY_MS * days.DAY_MS - DEFAULT_DAYS * days.DAY_MS
    )
    if not 0 <= since < until or until - since > MOST_DAYS * days.DAY_MS:
        raise BadRequest(
            f"'from' must lie before 'to', by at most {MOST_DAYS} days.",
            code="invalid_field",
            param="from",
        )
    if until > LAST:
        raise BadRequest("'to' lies too far ahead.", code="invalid_field", param="to")
    return since, until


def open_span(query: Mapping[str, str]) -> tuple[int, int]:
    """`from` and `to` in ms, each from or to wherever time goes where it is left out; raises BadRequest."""
    since, until = _instant(query, "from", 0), _instant(query, "to", LAST)
    if not 0 <= since < until <= LAST:
        raise BadRequest("'from' must lie before 'to'.", code="invalid_field", param="from")
    return since, until


def _instant(query: Mapping[str, str], name: str, default: int) -> int:
    if name not in query:
        return default
    found = days.parse(query[name])
    if found is None:
        raise BadRequest(
            f"'{name}' must be an ISO 8601 date or instant.", code="invalid_field", param=name
        )
    # A bare date as the end means through that day.
    return found + days.DAY_MS if name == "to" and days.is_day(query[name]) else found


def _dollars(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "cost_nanos"} | {
        "cost": dollars(row["cost_nanos"]),
        "costNanos": str(row["cost_nanos"]),
    }
