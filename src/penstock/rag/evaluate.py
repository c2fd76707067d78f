"""How good a search is, by judged questions: what it should find, beside what it found."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from penstock.errors import BadRequest
from penstock.wire import json

RECALLS = (3, 5, 10)
DEPTH = 10
"""Places that are looked at."""


class Judged(Struct, frozen=True):
    """A line of judgements: a question and the ids of all that answers it."""

    query: str
    relevant: list[str]


class Sample(Struct, frozen=True):
    """A line of a corpus."""

    id: str
    text: str
    title: str = ""


class Figures(Struct, frozen=True):
    """Means over the questions, each from 0 to 1. `recall` is by the number of places, as text."""

    ndcg10: float
    recall: dict[str, float]
    mrr3: float
    mrr10: float
    queries: int


_judged = json.parser(Judged)
_sample = json.parser(Sample)


def judgements(lines: Iterable[bytes]) -> list[Judged]:
    """JSON lines of `{"query", "relevant": [ids]}`; raises BadRequest with the number of a line that is none."""
    found = []
    for number, line in _numbered(lines):
        try:
            one = _judged(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _unread(number, '{"query": "…", "relevant": ["id", …]}') from error
        if not one.relevant:
            raise BadRequest(f"Line {number}: `relevant` is empty; name what answers the question.")
        found.append(one)
    return found


def corpus(lines: Iterable[bytes]) -> list[Sample]:
    """JSON lines of `{"id", "title"?, "text"}`; raises BadRequest with the number of a line that is none, or repeats an id."""
    found: dict[str, Sample] = {}
    for number, line in _numbered(lines):
        try:
            one = _sample(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _unread(number, '{"id": "…", "text": "…"}') from error
        if one.id in found:
            raise BadRequest(f"Line {number}: another line has the same id; ids are unique.")
        found[one.id] = one
    return list(found.values())


def _numbered(lines: Iterable[bytes]) -> Iterable[tuple[int, bytes]]:
    return ((number, line) for number, line in enumerate(lines, 1) if line.strip())


def _unread(number: int, due: str) -> BadRequest:
    return BadRequest(f"Line {number} is not what is read here: one JSON object such as {due}.")


def figures(answered: Iterable[tuple[Sequence[str], Sequence[str]]]) -> Figures:
    """Of pairs: the ids found, best first, and the relevant ones. A pair with nothing relevant is left out."""
    pairs = [
        (list(dict.fromkeys(found))[:DEPTH], set(relevant))
        for found, relevant in answered
        if relevant
    ]
    count = len(pairs)

    def mean(values: Iterable[float]) -> float:
        return math.fsum(values) / count if count else 0.0

    return Figures(
        ndcg10=mean(ndcg(found, relevant) for found, relevant in pairs),
        recall={str(k): mean(recall(f, relevant, k) for f, relevant in pairs) for k in RECALLS},
        mrr3=mean(reciprocal(found, relevant, 3) for found, relevant in pairs),
        mrr10=mean(reciprocal(found, relevant, DEPTH) for found, relevant in pairs),
        queries=count,
    )


def recall(found: Sequence[str], relevant: set[str], k: int) -> float:
    """The share of what is relevant that is in the first `k`."""
    return len(relevant.intersection(found[:k])) / len(relevant)


def reciprocal(found: Sequence[str], relevant: set[str], k: int) -> float:
    """One by the rank of the first that is relevant, 0 where none of the first `k` is."""
    return next((1 / rank for rank, name in enumerate(found[:k], 1) if name in relevant), 0.0)


def ndcg(found: Sequence[str], relevant: set[str]) -> float:
    """The discounted gain of the first ten beside that of the best order, each relevant one counting alike."""
    gains = (1 / math.log2(rank + 1) for rank, name in enumerate(found, 1) if name in relevant)
    best = (1 / math.log2(rank + 1) for rank in range(1, min(len(relevant), DEPTH) + 1))
    return math.fsum(gains) / math.fsum(best)
