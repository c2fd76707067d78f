"""`penstock rag reindex`: every document into the index of the model that is configured now, while servers go on."""

from __future__ import annotations

import argparse
import asyncio

from msgspec import to_builtins

from penstock.entry.cli import show
from penstock.entry.cli.command import configured
from penstock.entry.cli.progress import Bar
from penstock.entry.cli.rag_home import gateway_of
from penstock.gateway.reindexing import Done, reindex
from penstock.ports import About


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--all", action="store_true", help="those too that are in the model's index already"
    )
    parser.add_argument(
        "--drop-others",
        action="store_true",
        help="then forget the indexes of other models: once no server uses one",
    )


def run(args: argparse.Namespace) -> int:
    done, about = asyncio.run(_reindexed(args))
    others = [] if args.drop_others else list(about.others)
    if args.json:
        show.as_json(
            {"model": about.model, "documents": done.documents, "passages": done.passages}
            | {"others": to_builtins(others)}
        )
        return 0
    named = about.model or "terms alone"
    print(show.one_line(f"indexed {done.documents} documents, {done.passages} passages by {named}"))
    for other in others:
        said = f"still there: {other.entries} entries of {other.model or 'terms alone'}"
        print(show.one_line(f"{said}; --drop-others forgets them once no server uses them"))
    return 0


async def _reindexed(args: argparse.Namespace) -> tuple[Done, About]:
    async with gateway_of(configured(args).config) as gateway:
        bar: list[Bar] = []

        def tell(done: Done) -> None:
            if not bar:
                bar.append(Bar("indexing", done.total))
            bar[0].at(done.documents)

        done = await reindex(gateway, everything=args.all, tell=tell)
        for one in bar:
            one.end()
        index = gateway.platform.index
        assert index is not None
        about = await index.describe()
        if args.drop_others:
            for other in about.others:
                await index.drop(other.model, other.dimension)
        return done, about
