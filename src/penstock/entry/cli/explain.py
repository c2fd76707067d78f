"""`penstock explain ID`: why a request went where it went, and what it cost."""

from __future__ import annotations

import argparse
from typing import Any

from penstock.entry.cli import show
from penstock.entry.cli.command import Command, with_tables
from penstock.errors import NotFound
from penstock.ledger import decisions
from penstock.ports import Tables
from penstock.prices import usd

STEPS = ("at", "attempt", "stage", "ended", "target", "input", "output", "usd")


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="REQUEST_ID", help="as x-request-id gave it: req_…")


def run(args: argparse.Namespace) -> int:
    async def work(tables: Tables) -> dict[str, Any] | None:
        return await decisions.explain(tables, args.id)

    found = with_tables(args, work)
    if found is None:
        raise NotFound("there is no such request; x-request-id of its reply names it")
    if args.json:
        show.as_json(found)
    else:
        _print(found)
    return 0


def _print(found: dict[str, Any]) -> None:
    decision = found["decision"] or {}
    told = {"request": found["request_id"], "at": found["at"], **decision}
    told.pop("request_id", None)
    show.pairs((_name(name), _text(name, value)) for name, value in told.items())
    if found["ledger"]:
        print()
        show.table([head.upper() for head in STEPS], map(_step, found["ledger"]))


def _name(name: str) -> str:
    return name.removesuffix("_nanos").replace("_", " ")


def _text(name: str, value: Any) -> object:
    if name.endswith("_nanos"):
        return f"${usd(value)}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _step(step: dict[str, Any]) -> list[object]:
    amount = usd(step["amount_nanos"]) if "amount_nanos" in step else ""
    return [*(step.get(name, "") for name in STEPS[:-1]), amount]


EXPLAIN = Command("Say why a request went where it went, and what it cost.", add, run)
