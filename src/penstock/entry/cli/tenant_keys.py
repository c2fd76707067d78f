"""`penstock tenant-keys`: tenants' own keys at providers, put, listed, deleted, sealed anew."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from penstock.auth import tenant_keys
from penstock.auth.tenant_keys import LONGEST, TenantKey
from penstock.entry.cli import show
from penstock.entry.cli.command import Command, Misused, configured, with_tables
from penstock.errors import BadRequest, NotFound
from penstock.gateway.tenant_keys import Keeper, plain
from penstock.ledger import days
from penstock.platforms.crypto import Signatures
from penstock.platforms.embedded import folder
from penstock.platforms.world import RandomIds
from penstock.ports import Tables

T = TypeVar("T")
HEADS = ("TENANT", "PROVIDER", "ENDS IN", "SINCE", "MASTER KEY")


def add(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    put = actions.add_parser("put", help="keep a key, read from standard input")
    delete = actions.add_parser("delete", help="forget a key")
    for parsed in (put, delete):
        parsed.add_argument("--tenant", required=True, metavar="T", help="whose it is")
        parsed.add_argument("--provider", required=True, metavar="P", help="where it is good")
    listing = actions.add_parser("list", help="list keys, of each its last four characters")
    listing.add_argument("--tenant", default="", metavar="T", help="only this tenant's")
    actions.add_parser("reseal", help="have every key sealed by the newest master key")


def run(args: argparse.Namespace) -> int:
    return {"put": put, "delete": delete, "list": listing, "reseal": reseal}[args.action](args)


def put(args: argparse.Namespace) -> int:
    """Keeps what stands on standard input, so that it is in no list of processes and no history."""
    key = sys.stdin.read(LONGEST + 2).strip()

    async def work(keeper: Keeper) -> TenantKey:
        return await keeper.put(args.tenant, args.provider, key, time.time())

    try:
        made = _kept(args, work)
    except BadRequest as error:
        raise Misused(f"{error.message} `penstock tenant-keys put --help` says more") from error
    return _said(
        args, plain([made])[0], f"kept: a key for {made.provider} that ends in {made.last4}"
    )


def delete(args: argparse.Namespace) -> int:
    """Forgets one key; fails where there is none."""

    async def work(keeper: Keeper) -> bool:
        return await keeper.drop(args.tenant, args.provider)

    if not _kept(args, work):
        raise NotFound("there is no such key; `penstock tenant-keys list` shows them")
    found = {"tenant": args.tenant, "provider": args.provider}
    return _said(args, {"deleted": found}, "deleted; every process knows within 10 s")


def listing(args: argparse.Namespace) -> int:
    """Every key of those asked for, by tenant and provider."""

    async def work(tables: Tables) -> list[TenantKey]:
        return await tenant_keys.listing(tables, args.tenant)

    found = with_tables(args, work)
    if args.json:
        show.as_json(plain(found))
        return 0
    rows = [
        (key.tenant, key.provider, key.last4, days.iso(int(key.at * 1000)), key.sealed.master)
        for key in found
    ]
    show.table(HEADS, rows)
    return 0


def reseal(args: argparse.Namespace) -> int:
    """After a new master key was put first; exit code 1 where a key opens by none."""

    async def work(keeper: Keeper) -> tuple[int, list[TenantKey]]:
        return await keeper.reseal()

    done, lost = _kept(args, work)
    said = f"sealed anew: {done}"
    if lost:
        names = ", ".join(f"{key.tenant} at {key.provider}" for key in lost)
        said += f"; no master key opens those of {names}: put them there again"
    _said(args, {"resealed": done, "lost": plain(lost)}, said)
    return 1 if lost else 0


def _kept(args: argparse.Namespace, work: Callable[[Keeper], Awaitable[T]]) -> T:
    config = configured(args).config

    async def with_keeper(tables: Tables) -> T:
        made = folder.secret(Path(config.data)) if config.platform == "embedded" else b""
        return await work(Keeper(config, made, tables, Signatures(), RandomIds()))

    return with_tables(args, with_keeper)


def _said(args: argparse.Namespace, value: dict[str, Any], text: str) -> int:
    if args.json:
        show.as_json(value)
    else:
        print(show.one_line(text))
    return 0


TENANT_KEYS = Command("Put, list and delete tenants' own keys at providers.", add, run)
