"""`penstock usage --reconcile`: a provider's usage export beside the ledger."""

from __future__ import annotations

import argparse
from argparse import ArgumentTypeError
from fractions import Fraction
from pathlib import Path
from typing import Any

from penstock.entry.cli import show
from penstock.entry.cli.command import Misused, with_tables
from penstock.errors import Error
from penstock.ledger import invoices
from penstock.ledger.invoices import Comparison, Export, Row, Used
from penstock.ledger.invoices.read import Unreadable, read
from penstock.ports import Tables
from penstock.prices import usd

MOST_BYTES = 256 << 20
DEFAULT_TOLERANCE = Fraction(1, 1000)
WORDS = {"cached_input": "cached", "cost_nanos": "cost"}
FIELDS = ("requests", "estimated", "input", "cached_input", "output", "cost_nanos")


class InvalidFile(Error):
    """A file that was named cannot be read as what it should be."""

    code = "invalid_file"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--reconcile",
        metavar="FILE",
        type=Path,
        help="compare with a provider's usage export, .csv or .json, by day and model; exit 1 where they drift",
    )
    parser.add_argument(
        "--provider",
        action="append",
        metavar="NAME",
        help="with --reconcile: only this provider's rows, repeatable (default: those whose models the file names)",
    )
    parser.add_argument(
        "--tolerance",
        type=share,
        metavar="PERCENT",
        help="with --reconcile: how far apart they may be (default: 0.1)",
    )


def share(text: str) -> Fraction:
    """`0.5` or `0.5%` as a share of one."""
    try:
        percent = Fraction(text.strip().removesuffix("%"))
    except (ValueError, ZeroDivisionError):
        raise ArgumentTypeError(f"{text!r} is no percentage; write 0.5 or 0.5%") from None
    if not 0 <= percent <= 100:
        raise ArgumentTypeError(f"{text!r} is no percentage from 0 to 100")
    return percent / 100


def run(args: argparse.Namespace) -> int:
    """Prints both sides; 1 where they are further apart than the tolerance."""
    export = opened(args.reconcile)
    first, end = invoices.span(export)
    since, until = args.since or first, args.until or end
    if since >= until:
        raise Misused("--from is not before --to; name a span of time")
    # What the file says of other days is not compared with nothing.
    export = invoices.within(export, since, until)

    async def work(tables: Tables) -> Comparison:
        mine = await invoices.ours(tables, since, until)
        tolerance = DEFAULT_TOLERANCE if args.tolerance is None else args.tolerance
        return invoices.compare(export, mine, tolerance, args.provider or ())

    found = with_tables(args, work)
    if args.json:
        show.as_json(_json(found))
    else:
        _print(found)
    return 1 if found.drifts else 0


def opened(path: Path) -> Export:
    """The export in a file; raises InvalidFile, OSError."""
    if path.stat().st_size > MOST_BYTES:
        raise InvalidFile(f"{path}: larger than {MOST_BYTES >> 20} MB; split it by days")
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise InvalidFile(
            f"{path}: line {line}, column {column}: this is not UTF-8; export it anew or convert it"
        ) from error
    try:
        return read(text, as_json=text.lstrip()[:1] in ("{", "["))
    except Unreadable as error:
        raise InvalidFile(f"{path}: {error}") from error


def _json(found: Comparison) -> dict[str, Any]:
    return {
        "providers": list(found.providers),
        "compared": [WORDS.get(name, name) for name in invoices.JUDGED if name in found.tells],
        "rows": [_both(row, found.tells) for row in found.rows],
        "totals": _both(found.total, found.tells),
        "drifts": found.drifts,
    }


def _both(row: Row, tells: frozenset[str]) -> dict[str, Any]:
    named = {"day": row.day, "model": row.model} if row.day else {}
    ours, theirs = (
        _side(row.ours, FIELDS),
        _side(row.theirs, [one for one in FIELDS if one in tells]),
    )
    difference = {name: ours[name] - theirs[name] for name in theirs if name != "cost_usd"}
    if "cost_nanos" in difference:
        difference["cost_usd"] = usd(difference["cost_nanos"])
    drifts = [WORDS.get(name, name) for name in row.drifts]
    return {**named, "ours": ours, "theirs": theirs, "difference": difference, "drifts": drifts}


def _side(used: Used, fields: Any) -> dict[str, Any]:
    side = {name: getattr(used, name) for name in fields}
    return side | ({"cost_usd": usd(side["cost_nanos"])} if "cost_nanos" in side else {})


def _print(found: Comparison) -> None:
    heads = (
        "DAY",
        "MODEL",
        "TOKENS",
        "THEIRS",
        "DIFFERENCE",
        "USD",
        "THEIRS",
        "DIFFERENCE",
        "DRIFTS",
    )
    show.table(heads, [_cells(row, found.tells) for row in (*found.rows, found.total)])
    estimated = found.total.ours.estimated
    if estimated:
        print(
            f"{estimated} of our {found.total.ours.requests} requests are estimates: upper bounds, so ours may be more"
        )
    compared = ", ".join(found.providers) or "no provider: the ledger has nothing in that time"
    print(f"compared with the ledger's rows of {compared}")


def _cells(row: Row, tells: frozenset[str]) -> list[object]:
    names = [name for name in ("input", "output") if name in tells]
    ours, theirs = (sum(getattr(side, name) for name in names) for side in (row.ours, row.theirs))
    tokens: list[object] = [ours, theirs, ours - theirs] if names else [ours, "", ""]
    own, billed = row.ours.cost_nanos, row.theirs.cost_nanos
    told = "cost_nanos" in tells
    money = [
        usd(own),
        usd(billed) if told else "",
        usd(own - billed) if told else "",
    ]
    drifts = ", ".join(WORDS.get(name, name) for name in row.drifts)
    return [row.day or "total", row.model, *tokens, *money, drifts]
