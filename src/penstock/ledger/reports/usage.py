"""What was used and what it cost, by period and one more key: to the millisecond that is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import unquote

from penstock.errors import BadRequest
from penstock.ledger import days
from penstock.ledger.reports import sql
from penstock.ledger.reports.spans import ALL, cut, period
from penstock.ports import Row, Tables

By = Literal["hour", "day", "model", "service", "user", "route"]
BY: tuple[By, ...] = ("hour", "day", "model", "service", "user", "route")
MOST_ROWS = 10_000
_OF: Mapping[By, sql.Of] = {
    "hour": "model",
    "day": "model",
    "model": "model",
    "service": "service",
    "user": "user",
    "route": "route",
}
_STEPS = {"hour": days.HOUR_MS, "day": days.DAY_MS}
FIELDS = ("requests", "tokens", "cost_nanos", "cached")
NO_FILTERS = ("", "", "", "")


async def usage(
    tables: Tables, *, owner: str | None, since: int, until: int, by: str
) -> dict[str, Any]:
    """`{rows: [{period, service, provider, model, requests, tokens, cost_nanos, cached}], totals}` of [since, until) in ms.

    Rows are summed an hour or a day in SQL and added here, so that no sum leaves the safe integers. Raises BadRequest where
    there are more of them than anybody reads.
    """
    known = next((one for one in BY if one == by), None)
    if known is None:
        raise BadRequest(f"'by' is one of {', '.join(BY)}.", code="invalid_field", param="by")
    if owner is None and known == "user":
        rows = await _users(tables, since, until)
    else:
        rows = [_named(row, known) for row in await _found(tables, owner, since, until, known)]
    return {"rows": rows, "totals": _totals(rows)}


def tenant_of(owner: str) -> str:
    """The tenant that an owner's name begins with."""
    return unquote(owner.partition("/")[0])


def bounded(rows: Sequence[Row], most: int = MOST_ROWS) -> Sequence[Row]:
    """The rows; raises BadRequest where there are more than `most`."""
    if len(rows) > most:
        raise BadRequest(
            f"That makes more than {most:,} rows. Ask for a shorter span, longer periods or fewer groups.",
            code="too_many_groups",
            param="by",
        )
    return rows


async def _found(
    tables: Tables, owner: str | None, since: int, until: int, by: By
) -> Sequence[Row]:
    part = cut(since, until, days.HOUR_MS)
    span = (_STEPS.get(by, ALL), part.since, part.until, *NO_FILTERS)
    whose = () if owner is None else (tenant_of(owner), owner)
    statement = sql.USAGE["owners" if whose else "hours", _OF[by]]
    found = await tables.rows(statement, *span, *whose, *part.ragged, MOST_ROWS + 1)
    return bounded(found)


def _named(row: Row, by: By) -> dict[str, Any]:
    start, service, provider, model, route, owner = row[:6]
    sums = dict(zip(sql.SUMS, row[6:], strict=True))
    named: dict[str, Any] = {
        "period": period(start, by),
        "service": service,
        "provider": provider,
        "model": model,
    }
    if by == "user":
        named["user"] = owner.partition("/")[2]
    if by == "route":
        named["route"] = route
    return named | {name: sums[name] for name in FIELDS}


async def _users(tables: Tables, since: int, until: int) -> list[dict[str, Any]]:
    """By the name of a user alone: of two tenants' users of one name it is the sum."""
    part = cut(since, until, days.DAY_MS)
    found = bounded(
        await tables.rows(
            sql.TOP["user", "cost"], ALL, part.since, part.until, *part.ragged, MOST_ROWS + 1
        )
    )
    users: dict[str, dict[str, int]] = {}
    for owner, *rest in found:
        sums = dict(zip(sql.DIMENSION_SUMS, rest, strict=True))
        named = users.setdefault(owner.partition("/")[2], dict.fromkeys(FIELDS, 0))
        for name in FIELDS:
            named[name] += sums[name]
    empty = {"period": "", "service": "", "provider": "", "model": ""}
    return [{**empty, "user": user, **users[user]} for user in sorted(users)]


def _totals(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    return {name: sum(row[name] for row in rows) for name in FIELDS}


async def cache_counts(tables: Tables) -> list[dict[str, Any]]:
    """Hits and misses of each kind of cache so far."""
    return [
        {"kind": kind, "hits": hits, "misses": misses}
        for kind, hits, misses in await tables.rows(sql.CACHE_COUNTS)
    ]
