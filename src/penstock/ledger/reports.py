"""What was used and what it cost, by period and one more key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from penstock.errors import BadRequest
from penstock.ledger import days, sql
from penstock.ports import Row, Tables

HOUR_MS = 3_600_000
By = Literal["hour", "day", "model", "service", "user", "route"]
BY: tuple[By, ...] = ("hour", "day", "model", "service", "user", "route")
FIELDS = ("period", "service", "provider", "model", "user", "route")
_KEEP: dict[str, frozenset[str]] = {
    "hour": frozenset({"period", "service", "provider", "model"}),
    "day": frozenset({"period", "service", "provider", "model"}),
    "model": frozenset({"service", "provider", "model"}),
    "service": frozenset({"service"}),
    "user": frozenset({"user"}),
    "route": frozenset({"route", "service"}),
}


async def usage(
    tables: Tables, *, owner: str | None, since: int, until: int, by: str
) -> dict[str, Any]:
    """`{rows: [{period, service, provider, model, requests, tokens, cost_nanos, cached}], totals}` of [since, until) in ms.

    Rows are summed an hour or a day in SQL and added here, so that no sum leaves the safe integers.
    """
    if by not in BY:
        raise BadRequest(f"'by' is one of {', '.join(BY)}.", code="invalid_field", param="by")
    step = HOUR_MS if by == "hour" else days.DAY_MS
    if owner is None:
        found = await tables.rows(sql.USAGE, step, since, until)
    else:
        found = await tables.rows(sql.USAGE_OF_OWNER, step, since, until, owner)
    return {"rows": _grouped(found, by), "totals": _sum(found)}


def _grouped(found: Sequence[Row], by: str) -> list[dict[str, Any]]:
    keep = _KEEP[by]
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in found:
        key = tuple(value if name in keep else "" for name, value in zip(FIELDS, row, strict=False))
        groups.setdefault(key, []).append(row)
    return [_named(key, rows, by) for key, rows in sorted(groups.items())]


def _named(key: tuple[Any, ...], rows: Sequence[Row], by: str) -> dict[str, Any]:
    period, service, provider, model, user, route = key
    named: dict[str, Any] = {
        "period": _period(period, by),
        "service": service,
        "provider": provider,
        "model": model,
    }
    if by == "user":
        named["user"] = user
    if by == "route":
        named["route"] = route
    return named | _sum(rows)


def _period(start: int | str, by: str) -> str:
    if isinstance(start, str):
        return ""
    return days.iso(start)[:13] + ":00Z" if by == "hour" else days.day(start)


def _sum(rows: Sequence[Row]) -> dict[str, int]:
    names = ("requests", "tokens", "cost_nanos", "cached")
    return {name: sum(row[len(FIELDS) + i] for row in rows) for i, name in enumerate(names)}


async def cache_counts(tables: Tables) -> list[dict[str, Any]]:
    """Hits and misses of each kind of cache so far."""
    return [
        {"kind": kind, "hits": hits, "misses": misses}
        for kind, hits, misses in await tables.rows(sql.CACHE_COUNTS)
    ]
