"""A month in figures, beside the month before: what the report of a month tells, made anew from the books each time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from penstock.config import Config
from penstock.errors import BadRequest
from penstock.ledger import budgets, days, logins
from penstock.ledger.reports import costs, figures, latencies, sql
from penstock.ledger.reports.figures import Asked, share
from penstock.ledger.reports.spans import up
from penstock.ports import Tables

MOST = 10
"""Of each group, those that cost most; the others are one line."""
MOST_ERRORS = 10
MOST_COUNTRIES = 10
_RANKS: tuple[sql.Ranked, ...] = ("model", "provider", "route")
_NAMES = {"model": ("service", "provider", "model"), "provider": ("provider",), "route": ("service", "route"),
          "tenant": ("tenant",), "user": ("user",)}  # fmt: skip

Sums = Mapping[str, int]


class Asking(Struct, frozen=True):
    """Which month: from `since` to `until` as far as it has gone by `now`, the span before it, and of whom alone."""

    month: str
    since: int
    until: int
    ends: int
    before: tuple[int, int]
    now: int
    tenant: str = ""

    @property
    def over(self) -> bool:
        """Whether all of it is behind us."""
        return self.now >= self.ends


def asking(month: str, now: int, tenant: str = "") -> Asking:
    """The month `2026-10`; of one that runs, whole days up to today, and as many of the month before. Raises BadRequest."""
    first = days.parse(f"{month}-01") if len(month) == len("2026-10") else None
    if first is None or first < 0 or days.day(first)[:7] != month:
        raise BadRequest("'month' is a month, as 2026-10.", code="invalid_field", param="month")
    if first > now:
        raise BadRequest("'month' has not begun.", code="invalid_field", param="month")
    since, ends = days.span("month", first)
    until = min(ends, up(now + 1, days.DAY_MS))
    earlier = days.span("month", since - 1)[0] if since else 0
    before = (earlier, min(earlier + until - since, since) if until < ends else since)
    return Asking(month, since, until, ends, before, now, tenant)


def last(now: int) -> str:
    """The month that ended last."""
    return days.day(days.span("month", now)[0] - 1)[:7]


class Monthly(Struct, frozen=True):
    """All of it. Amounts are whole nano-dollars; what is kept for everybody together is None in a tenant's report."""

    asking: Asking
    totals: Sums
    before: Sums
    by_day: tuple[tuple[str, Sums], ...]
    groups: Mapping[str, tuple[tuple[tuple[str, ...], Sums], ...]]
    """By `model`, `provider`, `route`, and `tenant` or `user`: names and sums of the first."""
    baseline: str
    saved: Sums | None
    saved_before: Sums | None
    latency: Mapping[str, Any] | None
    latency_before: Mapping[str, Any] | None
    errors: Mapping[str, Any] | None
    errors_before: Mapping[str, Any] | None
    cache: tuple[Mapping[str, Any], ...] | None
    bill: Mapping[str, Any] | None
    forecast: Mapping[str, Any] | None
    """The bill as it looked in the middle of the month, to be compared with what it came to."""
    budgets: tuple[budgets.Standing, ...] | None
    logins: Mapping[str, Any] | None
    logins_before: Mapping[str, int] | None


async def monthly(tables: Tables, config: Config, asked: Asking) -> Monthly:
    """Reads it all; raises BadRequest, Unavailable."""
    span = Asked(asked.since, asked.until, tenant=asked.tenant)
    before = Asked(*asked.before, tenant=asked.tenant)
    daily = await figures.sums(tables, replace(span, by="day"))
    against = figures.baseline(config)
    latency, errors = await _went(tables, span)
    latency_before, errors_before = await _went(tables, before)
    saved = saved_before = None
    if against is not None:
        saved = await figures.saved(tables, span, against[1])
        saved_before = await figures.saved(tables, before, against[1])
    everybody = not asked.tenant
    bill, forecast = await _bill(tables, config, asked) if everybody else (None, None)
    seen, seen_before = await _seen(tables, asked) if everybody else (None, None)
    return Monthly(
        asking=asked,
        totals=_added(daily.values()),
        before=_added((await figures.sums(tables, before)).values()),
        by_day=_days(asked, daily),
        groups=await _groups(tables, span),
        baseline=against[0] if against else "",
        saved=saved,
        saved_before=saved_before,
        latency=latency,
        latency_before=latency_before,
        errors=errors,
        errors_before=errors_before,
        cache=tuple(await figures.cached(tables, span.since, span.until)) if everybody else None,
        bill=bill,
        forecast=forecast,
        budgets=tuple(await budgets.of_a_month(tables, asked.since, asked.until, MOST)) if everybody else None,
        logins=seen,
        logins_before=seen_before,
    )  # fmt: skip


async def first(tables: Tables) -> int | None:
    """When anything was used first; None where nothing ever was."""
    found: int | None = (await tables.rows(sql.FIRST_HOUR))[0][0]
    return found


async def used(tables: Tables, until: int) -> bool:
    """Whether anything was used before that."""
    since = await first(tables)
    return since is not None and since < until


def told(found: Monthly) -> dict[str, Any]:
    """The same for programs: nano-dollars as texts, which no reader rounds."""
    asked = found.asking
    body: dict[str, Any] = {
        "month": asked.month,
        "tenant": asked.tenant or None,
        "from": days.iso(asked.since),
        "to": days.iso(asked.until),
        "over": asked.over,
        "before": {"from": days.iso(asked.before[0]), "to": days.iso(asked.before[1]), **found.before},
        "totals": found.totals,
        "days": [{"day": day, **sums} for day, sums in found.by_day],
        "groups": {of: _ranks(of, rows, found.totals) for of, rows in found.groups.items()},
        "baseline": found.baseline,
        "savings": found.saved,
        "savings_before": found.saved_before,
        "latency": found.latency,
        "latency_before": found.latency_before,
        "errors": found.errors,
        "errors_before": found.errors_before,
        "cache": found.cache,
        "costs": found.bill,
        "forecast": found.forecast,
        "budgets": found.budgets and [budgets.as_told(one) for one in found.budgets],
        "logins": found.logins,
        "logins_before": found.logins_before,
    }  # fmt: skip
    exact: dict[str, Any] = _exact(body)
    return exact


def rest(rows: Sequence[tuple[tuple[str, ...], Sums]], totals: Sums) -> dict[str, int]:
    """What the rows leave of the whole."""
    first = rows[0][1] if rows else totals
    return {name: totals[name] - sum(sums[name] for _, sums in rows) for name in first}


async def _groups(
    tables: Tables, span: Asked
) -> dict[str, tuple[tuple[tuple[str, ...], Sums], ...]]:
    found: dict[str, tuple[tuple[tuple[str, ...], Sums], ...]] = {
        of: tuple(await figures.ranked(tables, span, of, MOST)) for of in _RANKS
    }
    many: figures.Of = "user" if span.owned else "tenant"
    found[many] = tuple(await figures.top(tables, replace(span, of=many), "cost", MOST))
    return found


async def _went(
    tables: Tables, span: Asked
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """How long requests took and what failed; kept for everybody together alone."""
    counts = await figures.timed(tables, span, 1)
    if counts is None:
        return None, None
    failed = await figures.failed(tables, span)
    number = sum(one[3] for one in failed)
    answered = sum(sum(some.values()) for some in counts.values())
    by = [{"status": status, "code": code, "number": many} for _, status, code, many in failed]
    errors = {"number": number, "share": share(number, number + answered), "by": by[:MOST_ERRORS]}
    return latencies.percentiles(counts.get(("",), {})), errors


async def _bill(
    tables: Tables, config: Config, asked: Asking
) -> tuple[Mapping[str, Any], Mapping[str, Any] | None]:
    """The bill by line, and how it looked in the middle of the month where that is behind us."""
    span = (asked.since, asked.ends)
    at = min(asked.now, asked.ends)
    measured = await costs.measured(config, tables, min(at, asked.ends - 1))
    bill = await costs.month(tables, config.costs, at, measured, span)
    middle = (asked.since + asked.ends) // 2
    if at < middle:
        return bill, None
    measured = await costs.measured(config, tables, middle - 1)
    return bill, await costs.month(tables, config.costs, middle - 1, measured, span)


async def _seen(tables: Tables, asked: Asking) -> tuple[Mapping[str, Any], Mapping[str, int]]:
    by = await logins.report(tables, since=asked.since, until=asked.until, by="country")
    earlier = await logins.report(tables, since=asked.before[0], until=asked.before[1], by="country")  # fmt: skip
    seen = {"totals": by["totals"], "countries": by["rows"][:MOST_COUNTRIES]}
    return seen, earlier["totals"]


def _days(
    asked: Asking, daily: Mapping[tuple[str, ...], Sums]
) -> tuple[tuple[str, Sums], ...]:  # fmt: skip
    nothing = dict.fromkeys(sql.SUMS, 0)
    every = [days.day(at) for at in range(asked.since, asked.until, days.DAY_MS)]
    return tuple((day, daily.get((day,), nothing)) for day in every)


def _added(rows: Any) -> dict[str, int]:
    found = dict.fromkeys(sql.SUMS, 0)
    for sums in rows:
        for name in found:
            found[name] += sums[name]
    return found


def _ranks(
    of: str, rows: Sequence[tuple[tuple[str, ...], Sums]], totals: Sums
) -> dict[str, Any]:  # fmt: skip
    named = [{**dict(zip(_NAMES[of], key, strict=True)), **sums} for key, sums in rows]
    return {"rows": named, "rest": rest(rows, totals)}


def _exact(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {key: _exact(one, key) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(one, name) for one in value]
    exact = name.endswith("_nanos") or name in ("cap", "reserved", "spent", "left")
    return str(value) if exact and type(value) is int else value
