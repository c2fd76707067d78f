"""What `/metrics` says of the whole installation, asked of the tables at each scrape: budgets, sums, what runs."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import penstock
from penstock.errors import Unavailable
from penstock.gateway.measures import GAUGE, Sample, family
from penstock.ledger import budgets, rollups
from penstock.ledger.budgets import Standing

if TYPE_CHECKING:
    from penstock.gateway import Gateway

MOST_BUDGETS = 200
"""The fullest of those that run."""
SHOWN = ("tenant", "route")
"""Whose names are few; of users and keys the fullest stands for all."""


async def told(gateway: Gateway) -> str:
    """Where the tables are out of reach, without what they alone know."""
    text = _build(gateway)
    for part in (_budgets, _sums):
        with suppress(Unavailable):
            text += await part(gateway)
    return text


def _build(gateway: Gateway) -> str:
    labels = {"version": penstock.__version__, "platform": gateway.platform.name}
    started = round(gateway.started_at, 3)
    return family("penstock_build_info", "What runs.", [(labels, 1)], GAUGE) + family(
        "penstock_start_time_seconds", "When it began to.", [({}, started)], GAUGE
    )


async def _budgets(gateway: Gateway) -> str:
    """The share of each that is used: spent, and reserved for calls in the air."""
    if not gateway.config.budgets:
        return ""
    now = int(gateway.platform.clock.now() * 1000)
    found = await budgets.nearest(gateway.platform.tables, now, MOST_BUDGETS)
    fullest: dict[tuple[str, str, str, str], float] = {}
    for one in found:
        if one.per in (*SHOWN, "user", "key"):
            key = (one.per, one.name if one.per in SHOWN else "", one.period, one.unit)
            fullest[key] = max(fullest.get(key, 0.0), _share(one))
    samples: list[Sample] = [
        ({"per": per, "name": name, "period": period, "unit": unit}, share)
        for (per, name, period, unit), share in sorted(fullest.items())
    ]
    return family("penstock_budget_used_ratio", "Of each, or of the fullest.", samples, GAUGE)


def _share(one: Standing) -> float:
    return (one.reserved + one.spent) / max(1, one.cap)


async def _sums(gateway: Gateway) -> str:
    behind = await rollups.behind(gateway.platform.tables)
    samples: list[Sample] = [({"book": name}, rows) for name, rows in behind.items()]
    return family("penstock_rollup_rows_behind", "Rows not summed yet.", samples, GAUGE)
