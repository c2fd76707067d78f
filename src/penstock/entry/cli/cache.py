"""`penstock cache`: how often answers were found, and forgetting them."""

from __future__ import annotations

import argparse
from typing import Any

from penstock.auth.caller import owner_named
from penstock.cache.generations import KINDS, PURGEABLE, raise_generations
from penstock.entry.cli import show
from penstock.entry.cli.command import Command, Misused, with_tables
from penstock.errors import BadRequest
from penstock.ledger.reports import cache_counts
from penstock.ports import Tables


def add(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("stats", help="hits and misses of each kind")
    purge = actions.add_parser(
        "purge",
        help="forget answers everywhere within 10 s",
        description="Forget the answers that any of these options names; without one, all of them.",
    )
    purge.add_argument("--kind", choices=KINDS, help="of one kind")
    purge.add_argument("--key", metavar="KEY", help="one entry, by the key `explain` shows")
    purge.add_argument("--owner", metavar="OWNER", help="of one caller: SUB or TENANT/SUB")
    purge.add_argument("--model", metavar="TARGET", help="of one target: PROVIDER/MODEL")
    purge.add_argument("--route", metavar="ROUTE", help="of one route, or of one service")
    purge.add_argument("--url", metavar="URL", help="of one URL of a service: path and query")
    purge.add_argument(
        "--tag", metavar="TAG", help="replies that name it in Cache-Tag or Surrogate-Key"
    )


def run(args: argparse.Namespace) -> int:
    return {"stats": stats, "purge": purge}[args.action](args)


def stats(args: argparse.Namespace) -> int:
    """Counts so far."""

    async def work(tables: Tables) -> list[dict[str, Any]]:
        return await cache_counts(tables)

    found = with_tables(args, work)
    if args.json:
        show.as_json(found)
    else:
        show.table(("KIND", "HITS", "MISSES", "HIT %"), map(_row, found))
    return 0


def purge(args: argparse.Namespace) -> int:
    """Raises the generations of what is named."""
    # An option given empty, as by an unset variable, names nothing: it must not stand for everything.
    wanted = {name: getattr(args, name) for name in PURGEABLE if getattr(args, name) is not None}
    if wanted.get("owner"):
        wanted["owner"] = owner_named(wanted["owner"])

    async def work(tables: Tables) -> list[str]:
        return await raise_generations(tables, wanted)

    try:
        purged = with_tables(args, work)
    except BadRequest as error:
        raise Misused(error.message) from error
    if args.json:
        show.as_json({"purged": purged})
    else:
        print(f"purged {', '.join(show.one_line(scope) for scope in purged)}; in force within 10 s")
    return 0


def _row(found: dict[str, Any]) -> tuple[object, ...]:
    hits, misses = found["hits"], found["misses"]
    share = f"{100 * hits / (hits + misses):.1f}" if hits + misses else ""
    return found["kind"], hits, misses, share


CACHE = Command("Show how often answers were found in the cache, or purge it.", add, run)
