"""`penstock usage --month`: what a month's models cost, and what Cloudflare's plans would cost and allow for its requests."""

from __future__ import annotations

import argparse
import re
import time
from argparse import ArgumentTypeError
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.config import Config
from penstock.entry.cli import show
from penstock.entry.cli.command import Misused, configured, with_tables
from penstock.ledger import days, months
from penstock.ledger.months import Month
from penstock.ports import Tables
from penstock.prices import Price, edge, lookup, usd
from penstock.prices.edge import Charge, Limit, Line
from penstock.prices.edge.taken import ASSUMED

NOW = "now"
WORKERS_AI = "workers_ai"
NEURONS = "neurons"
TOLD_LIMITS = 4
MISSING = (
    "what no ledger has: refusals, requests that failed before anything was bought, health checks, usage queries",
    "what stands stored already: D1's line is what this month adds; what objects, KV, R2 and Vectorize store",
)


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--month",
        nargs="?",
        const=NOW,
        type=month,
        metavar="YYYY-MM",
        help="instead what a month costs (default: this one), and what it would at Cloudflare's edge, free and paid",
    )


def month(text: str) -> str:
    """A month's first day, or NOW."""
    if text == NOW:
        return text
    if not re.fullmatch(r"\d{4}-\d{2}", text) or days.parse(f"{text}-01") is None:
        raise ArgumentTypeError(f"{text!r} is no month; write 2026-01")
    return f"{text}-01"


def run(args: argparse.Namespace) -> int:
    config = configured(args).config
    now = round(time.time() * 1000)
    at = now if args.month == NOW else days.parse(args.month)
    if at is None or at > now:
        raise Misused("--month has not begun; name this month or an earlier one")

    async def work(tables: Tables) -> Month:
        return await months.month(tables, at, now, lambda *what: _counted(config, *what))

    found = forecast(with_tables(args, work))
    if args.json:
        show.as_json(found)
    else:
        _print(found)
    return 0


def forecast(found: Month) -> dict[str, Any]:
    """The month as it is told: what was asked and spent, the paid plan's bill, and how the free plan stands."""
    charges = edge.charges(found.whole)
    platform = edge.SUBSCRIPTION_NANOS + sum(
        charge.nanos for charge in charges if charge.line.name != NEURONS
    )
    spent = sum(day.cost_nanos for day in found.days)
    stands = edge.limits(found.whole)
    return {
        "month": found.month,
        "days": {"begun": len(found.days), "of": found.length},
        "requests": found.asks,
        "models": {"cost_nanos": spent, "cost_usd": usd(spent)},
        "prices_of": edge.CHECKED,
        "paid": {
            "subscription_usd": usd(edge.SUBSCRIPTION_NANOS),
            "lines": [_charge(charge) for charge in charges],
            "cost_nanos": platform,
            "cost_usd": usd(platform),
        },
        "free": {
            "suffices": all(one.left >= 0 for one in stands),
            "lines": [_limit(one) for one in stands],
            "requests_a_day": [_end(*one) for one in _ends(found)],
        },
        "assumed": list(ASSUMED),
        "not_counted": list(MISSING),
    }


def _counted(config: Config, provider: str, model: str, day: str) -> Price | None:
    """The price in neurons of what Workers AI answered, under the name that its provider has or had."""
    known = config.providers.get(provider)
    if (known.kind if known else provider) not in (WORKERS_AI, "cloudflare"):
        return None
    return lookup(WORKERS_AI, model, day)


def _ends(found: Month) -> tuple[tuple[Line, int], ...]:
    """Requests a day at which each line of the free plan ends: of the month's mix, of bought chats where none was asked."""
    asks = found.asks if any(found.asks.values()) else {"chat": 1}
    takes = edge.total([(edge.each(kind), number) for kind, number in asks.items()])
    if any(found.asks.values()):
        for name in ("kv_reads", "kv_writes", NEURONS):
            takes[name] = sum(day.takes[name] for day in found.days)
    return edge.runs_out(sum(asks.values()), takes, months.DAILY, found.length)


def _charge(charge: Charge) -> dict[str, Any]:
    line = charge.line
    included = f"{_scaled(line.paid.units, line)} {_EACH[line.paid.each]}"
    return {
        "name": line.name,
        "what": line.what,
        "unit": line.unit,
        "used": _scaled(charge.used, line),
        "included": included,
        "beyond": _scaled(charge.over, line),
        "cost_usd": usd(charge.nanos),
    }


def _limit(one: Limit) -> dict[str, Any]:
    return {
        "name": one.line.name,
        "what": one.line.what,
        "unit": one.line.unit,
        "used": _scaled(one.used, one.line),
        "free": _scaled(one.free.units, one.line),
        "each": one.free.each,
        "left": _scaled(one.left, one.line),
        "at_its_end": one.line.end,
    }


def _end(line: Line, number: int) -> dict[str, Any]:
    return {"number": number, "name": line.name, "what": line.what, "at_its_end": line.end}


_EACH = {"day": "a day", "month": "a month", "ever": "stored"}


def _scaled(units: int, line: Line) -> int | float:
    """In the line's own unit, to three decimals where it is not whole."""
    whole, rest = divmod(units, line.scale)
    return round(units / line.scale, 3) if rest else whole


def _print(found: Mapping[str, Any]) -> None:
    begun, of = found["days"]["begun"], found["days"]["of"]
    print(f"{found['month']}, day {begun} of {of} (UTC)\n")
    asked = [(kind.replace("_", ", "), number) for kind, number in found["requests"].items()]
    show.table(["REQUESTS", "NUMBER"], asked)
    print(f"\nmodels: {found['models']['cost_usd']} USD so far, by the ledger")
    rest = "" if begun == of else ", the days to come as those behind"
    print(f"\nthe same at Cloudflare, estimated by prices of {found['prices_of']}{rest}\n")
    _print_paid(found["paid"])
    _print_free(found["free"])
    for head in ("assumed", "not_counted"):
        print(f"\n{head.replace('_', ' ')}")
        for text in found[head]:
            print(f"- {text}")


def _print_paid(paid: Mapping[str, Any]) -> None:
    lines: Sequence[Mapping[str, Any]] = paid["lines"]
    names = ("what", "unit", "used", "included", "beyond", "cost_usd")
    show.table(
        ["PAID PLAN", "UNIT", "USED", "INCLUDED", "BEYOND", "USD"],
        [[line[name] for name in names] for line in lines],
    )
    told = "neurons stand under models" if any(line["name"] == NEURONS for line in lines) else ""
    print(
        f"\npaid plan: {paid['cost_usd']} USD a month, {paid['subscription_usd']} of it for the plan"
    )
    if told:
        print(told)


def _print_free(free: Mapping[str, Any]) -> None:
    print()
    show.table(
        ["FREE PLAN", "UNIT", "USED", "OF", "EACH", "LEFT"],
        [
            [line["what"], line["unit"], line["used"], line["free"], line["each"], line["left"]]
            for line in free["lines"]
        ],
    )
    print(f"\nfree plan: {'suffices' if free['suffices'] else 'does not suffice'}")
    for end in free["requests_a_day"][:TOLD_LIMITS]:
        print(f"above {end['number']} such requests a day: {end['what']}: {end['at_its_end']}")
