"""The month's bill by line: what it has come to, what it will come to as things go, and what it may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.config import Config
from penstock.config.costs import FIRST_DESIGN, LINES, Cost
from penstock.config.spending import nanos
from penstock.ledger import days, months
from penstock.ledger.budgets import Standing
from penstock.ledger.reports import figures, sql
from penstock.ledger.reports.figures import Asked, share
from penstock.ledger.reports.spans import up
from penstock.ports import Tables
from penstock.prices import edge

WEEK_MS = 7 * days.DAY_MS


async def month(
    tables: Tables,
    costs: Sequence[Cost],
    now: int,
    measured: Mapping[str, tuple[int, int]],
    span: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """The UTC month of `now`, or `span`, at whose end it may stand: fixed amounts as far as it has gone, models by the ledger.

    `measured` has, of other lines, what they have come to so far and will have at the end, in nano-dollars.
    """
    since, until = span or days.span("month", now)
    told = {**measured, "models": await _models(tables, since, until, now)}
    every = costs or FIRST_DESIGN
    lines = [
        _line(line, [cost for cost in every if cost.line == line], told.get(line, (0, 0)), (since, until, now))
        for line in LINES
    ]  # fmt: skip
    names = ("to_date_nanos", "forecast_nanos", "budget_nanos", "before_nanos")
    totals = {name: sum(line[name] or 0 for line in lines) for name in names}
    return {"month": days.day(since)[:7], "lines": lines, "totals": totals, "preset": not costs}


async def _models(tables: Tables, since: int, until: int, now: int) -> tuple[int, int]:
    """So far, and that with the last week's rate for what is left of the month."""
    end = min(up(now + 1, days.HOUR_MS), until)
    spent = await _spent(tables, since, end)
    first = (await tables.rows(sql.FIRST_HOUR))[0][0]
    if first is None or now <= first:
        return spent, spent
    week = max(now - WEEK_MS, first) // days.HOUR_MS * days.HOUR_MS
    recent = await _spent(tables, week, end)
    elapsed = max(now - week, days.HOUR_MS)
    return spent, spent + max(0, recent) * max(0, until - now) // elapsed


async def _spent(tables: Tables, since: int, until: int) -> int:
    found = await figures.sums(tables, Asked(since, until, by="day"))
    return sum(sums["cost_nanos"] for sums in found.values())


async def measured(config: Config, tables: Tables, at: int) -> dict[str, tuple[int, int]]:
    """What Cloudflare bills beyond its plan by an instant, and at its month's end, where it serves; neurons are the models'."""
    if config.platform != "cloudflare":
        return {}
    found = await months.month(tables, at, at, lambda *_: None)
    so_far, whole = edge.charges([day.takes for day in found.days]), edge.charges(found.whole)
    return {"edge": (sum(one.nanos for one in so_far), sum(one.nanos for one in whole))}


def _line(
    name: str, costs: Sequence[Cost], told: tuple[int, int], span: tuple[int, int, int]
) -> dict[str, Any]:
    since, until, now = span
    fixed = sum(nanos(cost.fixed) or 0 for cost in costs)
    budgets = [nanos(cost.budget) or 0 for cost in costs if cost.budget]
    so_far, at_the_end = told
    budget = sum(budgets) if budgets else None
    forecast = fixed + at_the_end
    return {
        "line": name,
        "parts": [cost.name for cost in costs if cost.name],
        "fixed_nanos": fixed,
        "measured_nanos": so_far,
        "to_date_nanos": fixed * (now - since) // (until - since) + so_far,
        "forecast_nanos": forecast,
        "budget_nanos": budget,
        "over": budget is not None and forecast > budget,
        "before_nanos": sum(nanos(cost.before) or 0 for cost in costs),
    }


def burn(one: Standing, now: int) -> dict[str, Any]:
    """How fast a budget goes: shares of it and of its period, what it comes to as things go, and when it would be empty."""
    gone, length = max(1, now - one.starts), one.ends - one.starts
    used = one.reserved + one.spent
    empty = one.starts + gone * one.cap // used if used else None
    return {
        "used_share": share(used, one.cap),
        "elapsed_share": share(gone, length),
        "forecast": one.reserved + one.spent * length // gone,
        "empty_at": days.iso(empty) if empty is not None and empty < one.ends else None,
    }
