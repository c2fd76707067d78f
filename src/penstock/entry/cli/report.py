"""`penstock report`: a month as a page, a PDF or figures."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from argparse import ArgumentTypeError
from pathlib import Path

from penstock.config.monthly import LONGEST
from penstock.entry.cli import show
from penstock.entry.cli.command import Command, Misused, configured, with_tables
from penstock.entry.cli.month import NOW, month
from penstock.entry.home import printer_for
from penstock.errors import BadRequest
from penstock.ledger import days
from penstock.ledger.reports import monthly
from penstock.ledger.reports.monthly import Monthly
from penstock.ledger.reports.printed import paper
from penstock.ports import Print, Tables
from penstock.wire.json import encode
from penstock.wire.paper import html

FORMATS = ("html", "pdf")


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--month", type=month, metavar="YYYY-MM", help="which month (default: the last one that is over)")  # fmt: skip
    parser.add_argument("--format", choices=FORMATS, help="html, one file that needs no other, or pdf (default: as --out ends, else html)")  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="FILE", help="where it is written (default: standard output)")  # fmt: skip
    parser.add_argument("--tenant", type=_tenant, metavar="NAME", help="of this tenant alone")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    now = round(time.time() * 1000)
    form = args.format or ("pdf" if args.out and args.out.suffix.lower() == ".pdf" else "html")
    if args.json and args.format:
        raise Misused("--json is a format of its own; leave --format out")
    config = configured(args).config
    printer = printer_for(config) if form == "pdf" and not args.json else None
    if printer is not None and args.out is None and sys.stdout.isatty():
        raise Misused("a PDF is nothing for a terminal; name a file by --out")
    try:
        asked = monthly.asking(_month(args.month, now), now, args.tenant or "")
    except BadRequest as error:
        raise Misused("--month has not begun; name this month or an earlier one") from error

    async def work(tables: Tables) -> Monthly:
        return await monthly.monthly(tables, config, asked)

    _write(args, _bytes(args, with_tables(args, work), printer))
    return 0


def _bytes(args: argparse.Namespace, found: Monthly, printer: Print | None) -> bytes:
    if args.json:
        return encode(monthly.told(found)) + b"\n"
    return html.html(paper(found)) if printer is None else asyncio.run(_printed(printer, found))


async def _printed(printer: Print, found: Monthly) -> bytes:
    return await printer(paper(found))


def _write(args: argparse.Namespace, data: bytes) -> None:
    if args.out is None:
        sys.stdout.buffer.write(data)
        return
    args.out.write_bytes(data)
    print(show.one_line(str(args.out)), file=sys.stderr)


def _month(text: str | None, now: int) -> str:
    if text is None:
        return monthly.last(now)
    return days.day(now)[:7] if text == NOW else text[:7]


def _tenant(text: str) -> str:
    if not 0 < len(text) <= LONGEST:
        raise ArgumentTypeError(f"a tenant's name has 1 to {LONGEST} characters")
    return text


REPORT = Command("Write the report of a month: saved, spent, used, failed, and by whom.", add, run)
