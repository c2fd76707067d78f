"""`penstock rag list` and `delete`: somebody's documents."""

from __future__ import annotations

import argparse
from typing import Any

from penstock.entry.cli import show
from penstock.entry.cli.rag_home import Desk, add_owner, with_gateway
from penstock.gateway import documents
from penstock.gateway.documents import PREFIX

HEADS = ("DOCUMENT", "STATUS", "CHUNKS", "BYTES", "SINCE", "FILE", "WHY")


def add_list(parser: argparse.ArgumentParser) -> None:
    add_owner(parser)


def add_delete(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ids", nargs="+", metavar="DOCUMENT", help="a document's id")
    add_owner(parser)


def listing(args: argparse.Namespace) -> int:
    """All of them, the newest first."""
    found = with_gateway(args, _all)
    if args.json:
        show.as_json({"documents": found})
        return 0
    show.table(HEADS, [
        (one["documentId"], one["status"], one["chunks"], one["bytes"], one["createdAt"], one["filename"],
         one.get("reason", ""))
        for one in found
    ])  # fmt: skip
    return 0


async def _all(desk: Desk) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    before = ""
    while before is not None:
        query = f"limit={documents.MOST_PAGE}" + (f"&before={before}" if before else "")
        page = await desk.json("GET", "/api/rag/documents", query=query)
        found += page["documents"]
        before = page["next"]
    return found


def delete(args: argparse.Namespace) -> int:
    """Each with all that was made of it; fails where one is none of theirs, those before it are gone then."""

    async def work(desk: Desk) -> None:
        for id in args.ids:
            await desk.ask("DELETE", PREFIX + id)

    with_gateway(args, work)
    if args.json:
        show.as_json({"deleted": args.ids})
    else:
        print(f"deleted: {len(args.ids)}")
    return 0
