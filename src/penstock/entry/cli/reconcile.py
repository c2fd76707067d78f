"""`penstock reconcile`: one pass over the holds whose processes ended before them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from msgspec import structs

from penstock.entry.cli import show
from penstock.entry.cli.command import Command, configured, with_tables
from penstock.platforms.http import Http
from penstock.platforms.world import RealClock
from penstock.ports import Tables
from penstock.upstream.reconcile import Done, Reconciler


def add(parser: argparse.ArgumentParser) -> None:
    """It takes no options of its own."""


def run(args: argparse.Namespace) -> int:
    providers = configured(args).config.providers

    async def work(tables: Tables) -> Done:
        http = Http()
        try:
            return await Reconciler(tables, http, RealClock(), providers).once(_progress())
        finally:
            await http.close()

    done = with_tables(args, work)
    if args.json:
        show.as_json({"ended": done.ended} | structs.asdict(done))
    else:
        _print(done)
    return 0


def _print(done: Done) -> None:
    print(
        f"ended {done.ended} holds: {done.released} released, {done.settled} settled,"
        f" {done.estimated} estimated; corrected {done.corrected} estimates"
    )


def _progress() -> Callable[[Done], None]:
    """Says on standard error how far it is, after each page of a large ledger."""

    def tell(done: Done) -> None:
        if done.looked_at:
            print(f"looked at {done.looked_at} requests, ended {done.ended}", file=sys.stderr)

    return tell


RECONCILE = Command("End the holds of crashed processes, and correct estimates.", add, run)
