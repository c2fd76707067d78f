"""`penstock rag evaluate`: how well questions find what they should, in a corpus that is indexed for this and forgotten."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from msgspec import to_builtins

from penstock.entry.cli import show
from penstock.entry.cli.command import Misused, configured
from penstock.entry.cli.progress import parts, shown
from penstock.entry.home import local_runner
from penstock.errors import BadRequest
from penstock.platforms.embedded.index import EmbeddedIndex
from penstock.platforms.local import LocalRunner
from penstock.platforms.world import RealClock
from penstock.ports import MOST_ENTRIES, Vector
from penstock.rag.chunk import chunks
from penstock.rag.evaluate import DEPTH, Figures, Judged, Sample, corpus, figures, judgements
from penstock.rag.passages import Passage, entry, told
from penstock.rag.search import MOST_FOUND, Question, search

T = TypeVar("T")
OWNER = "corpus"
BATCH = 64
"""Texts embedded together: so often the bar moves."""


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("qrels", metavar="QRELS", help='JSON lines of {"query", "relevant": [ids]}')
    parser.add_argument(
        "--corpus", required=True, metavar="FILE", help='JSON lines of {"id", "title"?, "text"}'
    )
    parser.add_argument(
        "--lexical", action="store_true", help="by terms alone, whatever model there is"
    )


def run(args: argparse.Namespace) -> int:
    config = configured(args).config
    judged = _read(args.qrels, judgements)
    samples = _read(args.corpus, corpus)
    if not judged or not samples:
        raise Misused("there is nothing in one of the files; `penstock rag evaluate --help` says what stands there")  # fmt: skip
    unknown = _unknown(judged, samples)
    runner = None if args.lexical else local_runner(config)
    found = asyncio.run(evaluated(judged, samples, runner))
    model = runner.encoder.name if runner else ""
    if args.json:
        show.as_json(
            to_builtins(found) | {"model": model, "documents": len(samples), "unknown": unknown}
        )
        return 0
    _print(found, model, len(samples), unknown)
    return 0


async def evaluated(
    judged: Sequence[Judged], samples: Sequence[Sample], runner: LocalRunner | None
) -> Figures:
    """The corpus cut, indexed and asked as documents are; with a model by terms and vectors, without one by terms."""
    async with AsyncExitStack() as stack:
        home = stack.enter_context(TemporaryDirectory(prefix="penstock-rag-"))
        model, dimension = "", 0
        if runner is not None:
            stack.push_async_callback(runner.aclose)
            model, dimension = runner.encoder.name, runner.encoder.dimension
        index = EmbeddedIndex(Path(home) / "index.sqlite", RealClock(), model, dimension)
        stack.push_async_callback(index.close)
        passages = cut(samples)
        kept = {passage.id: passage for passage in passages}
        for part in shown("indexing", parts(passages, BATCH if runner else MOST_ENTRIES)):
            vectors = await _vectors([told(passage) for passage in part], runner)
            pairs = zip(part, vectors, strict=True)
            await index.upsert([entry(passage, OWNER, vector) for passage, vector in pairs])

        async def read(ids: Sequence[str]) -> Mapping[str, Passage]:
            return {name: kept[name] for name in ids}

        k = DEPTH if len(passages) == len(samples) else MOST_FOUND
        answered = []
        for one in shown("asking", judged):
            [vector] = await _vectors([one.query], runner)
            hits = await search(index, read, OWNER, Question(one.query, vector, k=k))
            names = dict.fromkeys(samples[int(hit.passage.document)].id for hit in hits)
            answered.append((list(names), one.relevant))
        return figures(answered)


def cut(samples: Sequence[Sample]) -> list[Passage]:
    """Every chunk of the corpus; a document is named by its place, since an id of the corpus may be longer than an index takes."""
    return [
        Passage(
            f"{at}.{number}", str(at), chunk.text, tuple(filter(None, (one.title, *chunk.titles)))
        )
        for at, one in enumerate(samples)
        for number, chunk in enumerate(chunks(one.text))
    ]


async def _vectors(texts: Sequence[str], runner: LocalRunner | None) -> list[Vector | None]:
    if runner is None:
        return [None] * len(texts)
    found = await runner.embed(texts)
    return [Vector(found.model, values) for values in found.values]


def _read(path: str, reader: Callable[[Iterable[bytes]], list[T]]) -> list[T]:
    with Path(path).open("rb") as lines:
        try:
            return reader(lines)
        except BadRequest as error:
            raise Misused(f"{path}: {error.message}") from error


def _unknown(judged: Sequence[Judged], samples: Sequence[Sample]) -> int:
    """How many relevant ids are not in the corpus, so that nothing can find them."""
    known = {one.id for one in samples}
    return sum(name not in known for one in judged for name in one.relevant)


def _print(found: Figures, model: str, documents: int, unknown: int) -> None:
    show.pairs(
        [
            ("questions", found.queries),
            ("documents", documents),
            ("searched by", f"terms and {model}" if model else "terms alone: no local model"),
            ("nDCG@10", f"{found.ndcg10:.4f}"),
            *((f"recall@{k}", f"{value:.4f}") for k, value in found.recall.items()),
            ("MRR@3", f"{found.mrr3:.4f}"),
            ("MRR@10", f"{found.mrr10:.4f}"),
        ]
    )
    if unknown:
        print(f"{unknown} relevant ids are not in the corpus, and count as not found")
