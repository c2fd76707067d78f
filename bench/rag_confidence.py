"""How well a search's confidence tells what the documents answer from what they do not; and what is answered without a model.

Each question of three judged sets is asked of its own documents, of the same without what answers it, and of another set's,
in whole libraries and in ones of 1, 4 and 16 passages. The first, third, … question of each set fits (`--fit` prints the
constants), the others are what the figures are about.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

# It runs as a script, from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import rag_sets
from bench.rag import DATA, OWNER, Record, embedded, fill, index_of, opened
from penstock.errors import Error
from penstock.platforms.local import LocalRunner
from penstock.platforms.memory.index import MemoryIndex
from penstock.ports import Found, Index, Match, Vector
from penstock.rag import extract
from penstock.rag.chunk import MOST
from penstock.rag.confidence import DEFAULT_THRESHOLD, Signals, confidence
from penstock.rag.passages import Passage, entry, title, told
from penstock.rag.search import Hit, Question, look

SIZES = (1, 4, 16)
WHOLE = 0
SETS = ("docs", "xquad", "chroma")
UNANSWERED = ("without", "other")
SHARES = {"own": 1.0, "without": 0.5, "other": 0.5}
"""As if half of all questions could be answered."""
WHOLE_SHARE = 0.5
"""Of whole libraries among all."""
NAMES = ("constant", "coverage", "phrases", "found", "nearness")


@dataclass(frozen=True)
class Asked:
    """A set: its passages, its questions, the ids of what answers each, and words of the answer where they are told."""

    passages: Sequence[Passage]
    questions: Sequence[str]
    relevant: Sequence[frozenset[str]]
    gold: Sequence[str] = ()


@dataclass(frozen=True)
class Case:
    """One question asked of one library: what kind that is (`own`, `without`, `other`), and whether what was found has an answer."""

    name: str
    number: int
    kind: str
    size: int
    answered: bool
    signals: Signals


class Hidden:
    """An index in which some ids are not found."""

    def __init__(self, index: Index, hidden: frozenset[str]) -> None:
        self._index = index
        self._hidden = hidden

    async def search(self, owner: str, k: int, **how: object) -> Found:
        found = await self._index.search(owner, k, **how)  # type: ignore[arg-type]  # passed on as it came
        return Found(self._left(found.by_vector), self._left(found.by_terms))

    def _left(self, matches: Sequence[Match]) -> tuple[Match, ...]:
        return tuple(one for one in matches if one.id not in self._hidden)


def main() -> int:
    """0 done or nothing to do, 1 failed, with one line on standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one flat object, nothing else")
    parser.add_argument("--quick", action="store_true", help="the same: it takes two minutes")
    parser.add_argument("--fit", action="store_true", help="the constants of confidence.py")
    parser.add_argument("--data", type=Path, default=DATA, help="the directory of the judged sets")
    options = parser.parse_args()
    if lacking := rag_sets.lacking(options.data):
        sys.stderr.write(f"confidence bench: skipped, there is no {options.data / lacking}\n")
        print("{}" if options.json else "skipped")
        return 0
    try:
        record = asyncio.run(measured(options.data, fits=options.fit))
    except (Error, OSError, ValueError) as error:
        sys.stderr.write("confidence bench: " + " ".join(str(error).split()) + "\n")
        return 1
    rounded = {key: round(value, 4) for key, value in record.items()}
    print(
        json.dumps(rounded) if options.json else "\n".join(f"{k}: {v}" for k, v in rounded.items())
    )
    return 0


async def measured(data: Path, *, fits: bool) -> Record:
    """Every figure, by terms alone and with vectors."""
    sets = read(data)
    runner = opened()
    record: Record = {}
    try:
        ways = {"lexical": None} | ({"hybrid": runner} if runner is not None else {})
        for way, by in ways.items():
            cases = [case async for case in asked(sets, by)]
            if fits:
                fitted = fit([one for one in cases if one.number % 2 == 0], 5 if by else 4)
                record |= {
                    f"{way}_{name}": value for name, value in zip(NAMES, fitted, strict=False)
                }
            held_out = [one for one in cases if one.number % 2]
            record |= {f"{way}_{key}": value for key, value in figures(held_out).items()}
        record |= await extracted(sets["xquad"])
    finally:
        if runner is not None:
            await runner.aclose()
    return record


def read(data: Path) -> Mapping[str, Asked]:
    """The three sets; of the long texts a chunk answers that has any of a question's excerpts."""
    found = {}
    for name, one in (("docs", rag_sets.docs(data)), ("xquad", rag_sets.xquad(data))):
        relevant = [frozenset(ids) for ids in one.relevant]
        gold = rag_sets.xquad_answers(data) if name == "xquad" else ()
        found[name] = Asked(one.passages, one.questions, relevant, gold)
    excerpts = rag_sets.chroma(data)
    passages, places = rag_sets.cut(excerpts, MOST)
    relevant = [
        frozenset(
            number
            for number, (text, start, end) in places.items()
            if text == name and any(start < last and first < end for first, last in spans)
        )
        for name, spans in excerpts.spans
    ]
    return found | {"chroma": Asked(passages, excerpts.questions, relevant)}


async def asked(sets: Mapping[str, Asked], runner: LocalRunner | None) -> AsyncIterator[Case]:
    """Every question of every library."""
    vectors = {
        name: await embedded([told(passage) for passage in one.passages], runner)
        for name, one in sets.items()
    }
    questions = {name: await embedded(list(one.questions), runner) for name, one in sets.items()}
    for library, holds in sets.items():
        with TemporaryDirectory(prefix="penstock-bench-") as home:
            index = index_of(Path(home), runner)
            await fill(index, holds.passages, vectors[library])
            rows = {passage.id: passage for passage in holds.passages}
            for name, one in sets.items():
                kinds = ("own", "without") if name == library else ("other",)
                for number, question in enumerate(one.questions):
                    asks = Question(question, questions[name][number])
                    for kind in kinds:
                        gone = one.relevant[number] if kind == "without" else frozenset()
                        hits, told_by = await looked(Hidden(index, gone), rows, asks)
                        good = kind == "own" and answers(hits, one.relevant[number])
                        yield Case(name, number, kind, WHOLE, good, told_by)
            await index.close()
    async for case in small(sets, vectors, questions, runner):
        yield case


async def small(
    sets: Mapping[str, Asked],
    vectors: Mapping[str, Sequence[Vector | None]],
    questions: Mapping[str, Sequence[Vector | None]],
    runner: LocalRunner | None,
) -> AsyncIterator[Case]:
    """The same of small libraries, drawn alike each time."""
    draw = random.Random(7)
    model, dimension = (runner.encoder.name, runner.encoder.dimension) if runner else ("", 0)
    entries = {
        name: [entry(p, OWNER, v) for p, v in zip(one.passages, vectors[name], strict=True)]
        for name, one in sets.items()
    }
    rows = {name: {p.id: p for p in one.passages} for name, one in sets.items()}
    for name, one in sets.items():
        for number, question in enumerate(one.questions):
            for size in SIZES:
                for kind, library, held in drawn(draw, sets, name, number, size):
                    index = MemoryIndex(model, dimension)
                    await index.upsert([entries[library][place] for place in held])
                    asks = Question(question, questions[name][number])
                    hits, told_by = await looked(index, rows[library], asks)
                    good = kind == "own" and answers(hits, one.relevant[number])
                    yield Case(name, number, kind, size, good, told_by)


def drawn(
    draw: random.Random, sets: Mapping[str, Asked], name: str, number: int, size: int
) -> Iterator[tuple[str, str, list[int]]]:
    """(kind, library, places of its passages)."""
    one = sets[name]
    right = [p for p, passage in enumerate(one.passages) if passage.id in one.relevant[number]]
    some = draw.sample(range(len(one.passages)), min(len(one.passages), size + len(right)))
    wrong = [place for place in some if place not in right]
    other = draw.choice([each for each in sets if each != name])
    yield "own", name, [*right, *wrong][: max(size, len(right))]
    yield "without", name, wrong[:size]
    yield "other", other, draw.sample(range(len(sets[other].passages)), size)


async def looked(
    index: Index | Hidden, rows: Mapping[str, Passage], asks: Question
) -> tuple[Sequence[Hit], Signals]:
    async def read_rows(ids: Sequence[str]) -> Mapping[str, Passage]:
        return {name: rows[name] for name in ids}

    found = await look(index, read_rows, (OWNER,), asks)  # type: ignore[arg-type]  # of an index only `search` is used
    return found.hits, found.signals


def answers(hits: Sequence[Hit], relevant: frozenset[str]) -> bool:
    return any(hit.passage.id in relevant for hit in hits)


def weights(cases: Sequence[Case]) -> list[float]:
    """Each set counts alike, whole libraries half, and half of the questions can be answered."""
    many = Counter((one.name, one.kind, one.size) for one in cases)
    return [
        SHARES[one.kind]
        * (WHOLE_SHARE if one.size == WHOLE else (1 - WHOLE_SHARE) / len(SIZES))
        / many[one.name, one.kind, one.size]
        for one in cases
    ]


def fit(cases: Sequence[Case], size: int) -> list[float]:
    """A logistic regression by Newton's method."""
    rows = [inputs(one.signals)[:size] for one in cases]
    counts, given = weights(cases), [0.0] * size
    for _ in range(30):
        slope = [0.0] * size
        bend = [[1e-9 * (i == j) for j in range(size)] for i in range(size)]
        for row, one, count in zip(rows, cases, counts, strict=True):
            chance = 1 / (1 + math.exp(-sum(a * b for a, b in zip(row, given, strict=True))))
            for i in range(size):
                slope[i] += count * (chance - one.answered) * row[i]
                for j in range(size):
                    bend[i][j] += count * chance * (1 - chance) * row[i] * row[j]
        given = [value - step for value, step in zip(given, solved(bend, slope), strict=True)]
    return given


def inputs(found: Signals) -> list[float]:
    return [1.0, found.coverage, found.phrases, found.found, found.nearness or 0.0]


def solved(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """By elimination; the matrix is symmetric and positive."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for i, pivot in enumerate(rows):
        rows[i] = pivot = [value / pivot[i] for value in pivot]
        for j, row in enumerate(rows):
            if j != i:
                rows[j] = [a - row[i] * b for a, b in zip(row, pivot, strict=True)]
    return [row[-1] for row in rows]


def figures(cases: Sequence[Case]) -> Record:
    """Of held-out questions: how good the chance is as one, and what the default threshold does in each library."""
    chances = [confidence(one.signals) for one in cases]
    counts = weights(cases)
    total = math.fsum(counts)
    record = {
        "brier": math.fsum(
            count * (chance - one.answered) ** 2
            for one, chance, count in zip(cases, chances, counts, strict=True)
        )
        / total,
        "ece": calibration_error(cases, chances, counts),
    }
    groups: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    for one, chance in zip(cases, chances, strict=True):
        groups[one.name, one.kind, one.size].append(chance)
    for name in SETS:
        for size in (WHOLE, *SIZES):
            where = f"{name}_{size or 'whole'}"
            own = groups[name, "own", size]
            record[f"{where}_answered"] = fmean(one >= DEFAULT_THRESHOLD for one in own)
            for kind in UNANSWERED:
                others = groups[name, kind, size]
                record[f"{where}_{kind}_refused"] = fmean(one < DEFAULT_THRESHOLD for one in others)
                record[f"{where}_{kind}_auc"] = auc(own, others)
    return record


def auc(higher: Sequence[float], lower: Sequence[float]) -> float:
    """How often one of the first is above one of the second; half where they are equal."""
    ranked = sorted([*((v, True) for v in higher), *((v, False) for v in lower)])
    below, wins, at = 0, 0.0, 0
    while at < len(ranked):
        end = at
        while end < len(ranked) and ranked[end][0] == ranked[at][0]:
            end += 1
        up = sum(good for _, good in ranked[at:end])
        wins += up * (below + (end - at - up) / 2)
        below, at = below + end - at - up, end
    return wins / (len(higher) * len(lower))


def calibration_error(
    cases: Sequence[Case], chances: Sequence[float], counts: Sequence[float]
) -> float:
    """The mean distance between what was said and what came true, in tenths."""
    bins: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for one, chance, count in zip(cases, chances, counts, strict=True):
        found = bins[min(9, int(10 * chance))]
        found[0] += count * (chance - one.answered)
        found[1] += count
    return math.fsum(abs(off) for off, _ in bins.values()) / math.fsum(counts)


async def extracted(one: Asked) -> Record:
    """Of paragraphs by terms alone: how often the answer's own words are within what is picked, and in what was found at all."""
    record: Record = {}
    rows = {passage.id: passage for passage in one.passages}
    with TemporaryDirectory(prefix="penstock-bench-") as home:
        index = index_of(Path(home), None)
        await fill(index, one.passages, [None] * len(one.passages))
        found = [await looked(index, rows, Question(text)) for text in one.questions]
        await index.close()
    for most in (1, 2, 3):
        inside = []
        for (hits, _), question, gold in zip(found, one.questions, one.gold, strict=True):
            pieces = [extract.Piece(h.passage.text, 0, title(h.passage)) for h in hits]
            said = extract.extract(question, pieces, most).text
            inside.append((level(gold) in level(said), len(said)))
        record[f"extract_{most}_has_answer"] = fmean(good for good, _ in inside)
        record[f"extract_{most}_has_answer_held_out"] = fmean(good for good, _ in inside[1::2])
        record[f"extract_{most}_characters"] = fmean(size for _, size in inside)
    within = [
        any(level(gold) in level(hit.passage.text) for hit in hits)
        for (hits, _), gold in zip(found, one.gold, strict=True)
    ]
    return record | {"extract_found_has_answer": fmean(within)}


def level(text: str) -> str:
    return " ".join(text.split()).casefold()


if __name__ == "__main__":
    sys.exit(main())
