"""`penstock usage`: what was used and what it cost."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from penstock.entry.cli import export, invoice, month, show
from penstock.entry.cli.command import Command, Misused, configured, with_tables
from penstock.entry.cli.values import instant
from penstock.ledger import budgets, logs, reports
from penstock.ports import Tables
from penstock.prices import usd
from penstock.wire.json import encode

DAY_MS = 86_400_000
SPAN_MS = 30 * DAY_MS
COUNTS = ("requests", "tokens", "cached")


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--by", choices=reports.BY, default="model", help="one row for each (default: model)"
    )
    parser.add_argument(
        "--from",
        dest="since",
        type=instant,
        metavar="DAY",
        help="from this day or instant (default: 30 days ago)",
    )
    parser.add_argument(
        "--to",
        dest="until",
        type=instant,
        metavar="DAY",
        help="until then, itself left out (default: now)",
    )
    invoice.add(parser)
    month.add(parser)
    parser.add_argument(
        "--export-log",
        action="store_true",
        help="instead the chats of that time as JSON lines, for `penstock replay`; text only where its tenant agreed",
    )
    export.add(parser)
    parser.add_argument(
        "--budgets",
        action="store_true",
        help="instead how the budgets stand that were used in their running hour, day or month",
    )


def run(args: argparse.Namespace) -> int:
    if args.export is not None or args.format is not None:
        return export.run(args)
    if args.month is not None:
        return _month(args)
    if args.budgets:
        return _budgets(args)
    if args.reconcile is not None:
        return invoice.run(args)
    return _usage(args)


def _usage(args: argparse.Namespace) -> int:
    if args.provider or args.tolerance is not None:
        raise Misused("--provider and --tolerance go with --reconcile FILE")
    since, until = _span(args)
    if args.export_log:
        return _log(args, since, until)

    async def work(tables: Tables) -> dict[str, Any]:
        return await reports.usage(tables, owner=None, since=since, until=until, by=args.by)

    found = with_tables(args, work)
    if args.json:
        rows = [_priced(row) for row in found["rows"]]
        show.as_json({"by": args.by, "rows": rows, "totals": _priced(found["totals"])})
    else:
        _print(found)
    return 0


def _span(args: argparse.Namespace) -> tuple[int, int]:
    """From when until when, in milliseconds."""
    if args.since is not None and args.until is not None and args.since >= args.until:
        raise Misused("--from is not before --to; name a span of time")
    until = args.until or round(time.time() * 1000) + 1
    return until - SPAN_MS if args.since is None else args.since, until


def _log(args: argparse.Namespace, since: int, until: int) -> int:
    """The log on standard output, a page at a time."""
    tenants = configured(args).config.tenants
    agreed = {name for name, tenant in tenants.items() if tenant.texts == "all"}

    async def work(tables: Tables) -> None:
        lines, place = await logs.page(tables, (since, ""), until, agreed)
        while lines:
            sys.stdout.write("".join(f"{encode(line).decode()}\n" for line in lines))
            lines, place = await logs.page(tables, place, until, agreed)

    with_tables(args, work)
    return 0


def _month(args: argparse.Namespace) -> int:
    if (
        args.budgets
        or args.reconcile is not None
        or args.since is not None
        or args.until is not None
        or args.export_log
    ):
        raise Misused(
            "--month is a span of its own; leave --from, --to, --budgets, --export-log and --reconcile out"
        )
    return month.run(args)


def _budgets(args: argparse.Namespace) -> int:
    if args.since is not None or args.until is not None:
        raise Misused("--budgets shows how they stand now; leave --from and --to out")

    async def work(tables: Tables) -> list[budgets.Standing]:
        return await budgets.current(tables, round(time.time() * 1000))

    found = [budgets.as_told(one) for one in with_tables(args, work)]
    if args.json:
        show.as_json({"budgets": found})
    elif not found:
        print("no budget is in use")
    else:
        show.table([name.upper() for name in found[0]], [_amounts(one) for one in found])
    return 0


def _amounts(one: dict[str, Any]) -> list[object]:
    """Nano-dollars as dollars, the other values as they are."""
    money = one["unit"] == "nanos"
    shown = one | {"unit": "usd" if money else one["unit"]}
    if money:
        shown |= {name: usd(one[name]) for name in ("cap", "reserved", "spent", "left")}
    return list(shown.values())


def _priced(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"cost_usd": usd(row["cost_nanos"])}


def _print(found: dict[str, Any]) -> None:
    rows, totals = found["rows"], found["totals"]
    if not rows:
        print("nothing was used in that time")
        return
    keys = [
        name
        for name in rows[0]
        if name not in {*COUNTS, "cost_nanos"} and any(row[name] for row in rows)
    ]
    heads = [*keys, *COUNTS, "usd"]
    lines = [[row[name] for name in (*keys, *COUNTS)] + [usd(row["cost_nanos"])] for row in rows]
    last = ["total", *[""] * (len(keys) - 1)] if keys else []
    lines.append([*last, *(totals[name] for name in COUNTS), usd(totals["cost_nanos"])])
    show.table([head.upper() for head in heads], lines)


USAGE = Command("Show what was used and what it cost.", add, run)
