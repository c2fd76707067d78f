"""`penstock keys`: API keys, made, listed and revoked."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

from penstock.auth import keys
from penstock.auth.caller import DEFAULT_TENANT, FREE
from penstock.auth.keys import ApiKey
from penstock.auth.scopes import DEFAULT
from penstock.entry.cli import show
from penstock.entry.cli.command import Command, Misused, configured, with_tables
from penstock.entry.cli.values import instant, seconds, words
from penstock.entry.home import revoking
from penstock.errors import BadRequest, NotFound, Unavailable
from penstock.ledger import days
from penstock.platforms.world import RandomIds
from penstock.ports import Tables

HEADS = ("ID", "SUB", "TENANT", "TIER", "SCOPES", "NAME", "CREATED", "EXPIRES", "REVOKED")


def add(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    create = actions.add_parser("create", help="make a key and print it, this once")
    create.add_argument("--sub", required=True, metavar="S", help="whose it is")
    create.add_argument("--tenant", default=DEFAULT_TENANT, metavar="T", help="its tenant")
    create.add_argument("--tier", default=FREE, metavar="T", help="its tier (default: free)")
    create.add_argument(
        "--scope",
        action="append",
        metavar="SCOPE",
        help="what it may do, repeatable (default: chat, embed and rag)",
    )
    create.add_argument("--name", default="", metavar="N", help="a label for people")
    create.add_argument(
        "--expires",
        type=moment,
        metavar="WHEN",
        help="its end: 2027-01-31, or a length of time such as 30d",
    )
    listing = actions.add_parser("list", help="list keys, never the keys themselves")
    listing.add_argument("--sub", metavar="S", help="only this subject's")
    listing.add_argument("--tenant", metavar="T", help="only this tenant's")
    revoke = actions.add_parser("revoke", help="end a key, from the next request on")
    revoke.add_argument("id", metavar="ID", help="the key's id, as `keys list` shows it")


def moment(text: str) -> float:
    """A day, an instant or a length of time from now, in epoch seconds."""
    try:
        return time.time() + seconds(text)
    except argparse.ArgumentTypeError:
        return instant(text) / 1000


def run(args: argparse.Namespace) -> int:
    return {"create": create, "list": listing, "revoke": revoke}[args.action](args)


def create(args: argparse.Namespace) -> int:
    """Prints the key alone; its row goes to --json."""
    tiers = configured(args).config.tiers
    if args.tier not in tiers:
        raise Misused(f"--tier {args.tier!r} is not configured; name one of {', '.join(tiers)}")
    if args.expires is not None and args.expires <= time.time():
        raise Misused("--expires is past; name a later day, or a length of time such as 30d")

    async def work(tables: Tables) -> tuple[str, ApiKey]:
        return await keys.create(
            tables,
            RandomIds(),
            now=time.time(),
            sub=args.sub,
            tenant=args.tenant,
            tier=args.tier,
            scopes=words(args.scope) or DEFAULT,
            name=args.name,
            expires_at=args.expires or 0.0,
        )

    try:
        key, made = with_tables(args, work)
    except BadRequest as error:
        raise Misused(f"{error.message} `penstock keys create --help` says more") from error
    if args.json:
        show.as_json({"key": key, **_plain(made)})
    else:
        print(key)
    return 0


def listing(args: argparse.Namespace) -> int:
    """Every key of those asked for, oldest first."""

    async def work(tables: Tables) -> list[ApiKey]:
        return await keys.listing(tables, sub=args.sub, tenant=args.tenant)

    found = with_tables(args, work)
    if args.json:
        show.as_json([_plain(key) for key in found])
    else:
        show.table(HEADS, map(_row, found))
    return 0


def revoke(args: argparse.Namespace) -> int:
    """Ends one key, for a running server from its next request on; fails where there is none of that id."""

    config = configured(args).config

    async def work(tables: Tables) -> ApiKey | None:
        async with revoking(config) as meter:
            return await keys.revoke(tables, meter, args.id, now=time.time())

    try:
        key = with_tables(args, work)
    except Unavailable as error:
        raise Unavailable(
            "the key may go on working: not both stores could be written; repeat it, and"
            " `penstock doctor` says which is out of reach"
        ) from error
    if key is None:
        raise NotFound("there is no such key; `penstock keys list` shows their ids")
    if args.json:
        show.as_json(_plain(key))
    else:
        print(f"{key.id} is revoked")
    return 0


def _plain(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "sub": key.sub,
        "tenant": key.tenant,
        "tier": key.tier,
        "scopes": sorted(key.scopes),
        "name": key.name,
        "created_at": _iso(key.created_at),
        "expires_at": _iso(key.expires_at),
        "revoked_at": _iso(key.revoked_at),
    }


def _row(key: ApiKey) -> Sequence[object]:
    plain = _plain(key) | {"scopes": " ".join(sorted(key.scopes))}
    return list(plain.values())


def _iso(seconds: float) -> str | None:
    return days.iso(round(seconds * 1000)) if seconds else None


KEYS = Command("Make, list and revoke API keys.", add, run)
