"""`penstock router labels` and `forget`: what shadows brought, as a router is fitted from it, and its end."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from penstock.auth.caller import owner_of
from penstock.config.labels import Tenant
from penstock.entry.cli import show
from penstock.entry.cli.command import configured, with_tables
from penstock.entry.cli.values import instant
from penstock.ledger import feedback, labels, logs
from penstock.ports import Tables
from penstock.wire.json import encode


def add(actions: Any) -> None:
    """Declares both."""
    writing = actions.add_parser(
        "labels",
        help="write what shadows brought as labels",
        description="Write judged answers as JSON lines, for `penstock router fit`; text only where its tenant agreed.",
    )
    writing.add_argument(
        "--out", metavar="FILE", type=Path, help="file to write (default: standard output)"
    )
    writing.add_argument("--route", default="", metavar="R", help="of this route only")
    writing.add_argument("--from", dest="since", type=instant, default=0, metavar="DAY", help="from this day or instant")  # fmt: skip
    writing.add_argument("--to", dest="until", type=instant, metavar="DAY", help="until then, itself left out (default: now)")  # fmt: skip
    forgetting = actions.add_parser(
        "forget",
        help="delete what is kept of a tenant",
        description="Delete labels, prompts and feedback of a tenant, or of one of its users.",
    )
    forgetting.add_argument("--tenant", required=True, metavar="T", help="whose they are")
    forgetting.add_argument("--sub", metavar="S", help="of this user only")


def written(args: argparse.Namespace) -> int:
    """The labels as lines; with a file, how many there were."""
    until = args.until or round(time.time() * 1000) + 1
    if args.out is None:
        with_tables(args, _writing(args, until, sys.stdout.buffer))
        return 0
    with args.out.open("wb") as file:
        count = with_tables(args, _writing(args, until, file))
    if args.json:
        show.as_json({"labels": count, "file": str(args.out)})
    else:
        print(f"labels: {count}, in {show.one_line(str(args.out))}")
    return 0


def forgotten(args: argparse.Namespace) -> int:
    """How many of each were deleted."""
    owner = "" if args.sub is None else owner_of(args.tenant, args.sub)

    async def work(tables: Tables) -> dict[str, int]:
        return {
            "labels": await labels.forget(tables, args.tenant, owner),
            "prompts": await logs.forget(tables, args.tenant, owner),
            "feedback": await feedback.forget(tables, args.tenant, owner),
        }

    found = with_tables(args, work)
    if args.json:
        show.as_json({"deleted": found})
    else:
        print("deleted: " + ", ".join(f"{count} {name}" for name, count in found.items()))
    return 0


def _writing(args: argparse.Namespace, until: int, file: IO[bytes]) -> Callable[[Tables], Any]:
    tenants: Mapping[str, Tenant] = configured(args).config.tenants

    async def work(tables: Tables) -> int:
        count, place = 0, (args.since, "")
        while found := await labels.page(tables, place, until, args.route):
            for label in found:
                tenant = tenants.get(label.tenant, Tenant())
                if tenant.shadow:
                    file.write(encode(labels.told(label, texts=tenant.texts != "none")) + b"\n")
                    count += 1
            place = labels.behind(found)
        return count

    return work
