"""`penstock usage --export`: a whole table on standard output."""

from __future__ import annotations

import argparse
import sys

from penstock.entry.cli.command import Misused, with_tables
from penstock.gateway.usage import LAST
from penstock.ledger import exports
from penstock.ports import Tables

OTHERS = ("month", "reconcile", "provider", "tolerance")


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--export",
        choices=exports.TABLES,
        metavar="TABLE",
        help="instead a table, its secrets left out, whole or from --from to --to: ledger, decisions, logins, …",
    )
    parser.add_argument(
        "--format",
        choices=exports.FORMATS,
        help="with --export: csv, whose cells no spreadsheet runs, or json (default: csv)",
    )


def run(args: argparse.Namespace) -> int:
    if args.export is None:
        raise Misused("--format goes with --export TABLE")
    if args.budgets or args.export_log or any(getattr(args, name) for name in OTHERS):
        raise Misused("--export writes a table; leave all but --format, --from and --to out")
    span = _span(args)
    form: exports.Format = args.format or ("json" if args.json else "csv")

    async def work(tables: Tables) -> None:
        async for part in exports.Export(tables, args.export, form, span):
            sys.stdout.write(part.decode("utf-8"))

    with_tables(args, work)
    return 0


def _span(args: argparse.Namespace) -> exports.Span | None:
    if args.since is None and args.until is None:
        return None
    since, until = args.since or 0, args.until or LAST
    if since >= until:
        raise Misused("--from is not before --to; name a span of time")
    return since, until
