"""From a question to the passages that answer it: an index finds, phrases and fusion put in order, variety chooses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import pairwise

from msgspec import Struct

from penstock.ports import MOST_MATCHES, Found, Index, Match, Vector
from penstock.rag.confidence import FIRST, Signals, signals
from penstock.rag.fuse import fuse, spread, weights
from penstock.rag.passages import Passage
from penstock.rag.spelt import Spelt
from penstock.rag.terms import asked, words

POOL = 20
"""Passages of each ranking that are read, or twice as many as are asked for."""
MOST_FOUND = MOST_MATCHES // 2
LEADERS = 3
"""Of the ranking by terms, to see how much of what was asked one passage has."""
FOR_PHRASES = 3.0
"""A score by terms is four times as high where all neighbouring terms of the question are neighbours in the passage."""

Read = Callable[[Sequence[str]], Awaitable[Mapping[str, Passage]]]
"""The owner's passages of these ids, in one round trip; those that are no longer there are left out."""
Rerank = Callable[[str, Sequence[Passage]], Awaitable[Sequence[float]]]
"""How well each passage answers the question, from 0 to 1: a model's judgement, in place of the fused score."""


class Question(Struct, frozen=True):
    """`vector`: the question's embedding, without which terms alone find. `document`: search in this one only."""

    text: str
    vector: Vector | None = None
    k: int = 5
    document: str | None = None
    variety: float = 0.0
    """How much what is found should differ, from 0 to 1; none by measurement, and for a reader's sake."""


class Hit(Struct, frozen=True):
    """A passage that was found, and its score from 0 to 1, comparable within one search.

    `terms` is its BM25 and `cosine` its vector's likeness, as the index gave them; 0 where that did not find it.
    """

    passage: Passage
    score: float
    terms: float = 0.0
    cosine: float = 0.0


class Looked(Struct, frozen=True):
    """What was found, best first, and what of it tells whether it answers the question."""

    hits: list[Hit]
    signals: Signals


async def search(
    index: Index, read: Read, owner: str, question: Question, rerank: Rerank | None = None
) -> list[Hit]:
    """At most `k` passages of the owner, best first; `k` is at most MOST_FOUND."""
    return (await look(index, read, (owner,), question, rerank)).hits


async def look(
    index: Index,
    read: Read,
    owners: tuple[str, ...],
    question: Question,
    rerank: Rerank | None = None,
) -> Looked:
    """The same over what several owners have, whose ids differ, with the signals of it."""
    k = min(question.k, MOST_FOUND)
    size = max(POOL, 2 * k)
    found = await _found(index, owners, question)
    near = [match.id for match in found.by_vector]
    ids = dict.fromkeys([*(match.id for match in found.by_terms[:size]), *near[:size]])
    passages = await read(list(ids)) if ids else {}
    if len(passages) < min(k, len(ids)):
        found, passages = await _readable(read, found, passages)
        near = [match.id for match in found.by_vector]
    spelt = {m.id: Spelt(passages[m.id]) for m in found.by_terms[:size] if m.id in passages}
    by_terms = phrased(question.text, found.by_terms[:size], spelt)
    covered = coverage(question.text, [spelt[name] for name in by_terms[:LEADERS]])
    by_terms += [match.id for match in found.by_terms[size:]]
    by_vector = [name for name in near if name in passages or name not in ids]
    fused = fuse(by_terms, by_vector, weights(by_terms, by_vector, covered))
    scores = {name: score for name, score in fused.items() if name in passages}
    if rerank is not None:
        scores = await _reranked(rerank, question.text, scores, passages)
    chosen = list(scores)[:k]
    if question.variety:
        terms = {n: (spelt.get(n) or Spelt(passages[n])).terms for n in scores}
        chosen = spread(scores, terms, k, question.variety)
    spoken = {match.id: match.score for match in found.by_terms}
    like = {match.id: match.score for match in found.by_vector}
    hits = [
        Hit(passages[name], scores[name], spoken.get(name, 0.0), like.get(name, 0.0))
        for name in chosen
    ]
    return Looked(hits, _signals(question, hits, spelt, found))


async def _readable(
    read: Read, found: Found, passages: Mapping[str, Passage]
) -> tuple[Found, Mapping[str, Passage]]:
    """What was found without those that may not be read: a document that is still being written must not hide the others."""
    ids = dict.fromkeys(match.id for match in (*found.by_terms, *found.by_vector))
    rest = [name for name in ids if name not in passages]
    passages = {**passages, **await read(rest)}
    by_vector = tuple(match for match in found.by_vector if match.id in passages)
    by_terms = tuple(match for match in found.by_terms if match.id in passages)
    return Found(by_vector, by_terms), passages


async def _found(index: Index, owners: tuple[str, ...], question: Question) -> Found:
    """What the index has of all of them. Each one's terms are scored by their own entries: close enough to be put in one order."""
    terms = asked(question.text)
    lists = [
        await index.search(
            owner,
            MOST_MATCHES,
            vector=question.vector,
            terms=terms,
            document=question.document,
        )
        for owner in owners
    ]
    if len(lists) == 1:
        return lists[0]
    return Found(
        _merged([one.by_vector for one in lists]), _merged([one.by_terms for one in lists])
    )


def _merged(lists: Sequence[Sequence[Match]]) -> tuple[Match, ...]:
    every = [match for one in lists for match in one]
    return tuple(sorted(every, key=lambda match: (-match.score, match.id))[:MOST_MATCHES])


def _signals(
    question: Question, hits: Sequence[Hit], spelt: Mapping[str, Spelt], found: Found
) -> Signals:
    """Signals of the hits, among the passages that were read for their terms."""
    first = {
        hit.passage.id: spelt.get(hit.passage.id) or Spelt(hit.passage) for hit in hits[:FIRST]
    }
    return signals(
        question.text,
        list(first.values()),
        list({**spelt, **first}.values()),
        max(len(found.by_terms), len(found.by_vector)),
        None if question.vector is None else [match.score for match in found.by_vector],
        max((hit.cosine for hit in hits[:FIRST]), default=0.0),
    )


def phrased(text: str, found: Sequence[Match], spelt: Mapping[str, Spelt]) -> list[str]:
    """Those of which the passage is there, in the order of their scores raised by the phrases they share."""
    pairs = set(pairwise(words(text)))

    def raised(match: Match) -> float:
        return match.score * (
            1 + FOR_PHRASES * len(pairs & spelt[match.id].pairs) / (len(pairs) or 1)
        )

    there = [match for match in found if match.id in spelt]
    return [match.id for match in sorted(there, key=lambda m: (-raised(m), m.id))]


def coverage(text: str, leaders: Sequence[Spelt]) -> float:
    """The share of the question's terms that one of these has, at best."""
    terms = set(words(text))
    return max((len(terms & one.terms) for one in leaders), default=0) / (len(terms) or 1)


async def _reranked(
    rerank: Rerank, text: str, scores: Mapping[str, float], passages: Mapping[str, Passage]
) -> dict[str, float]:
    judged = await rerank(text, [passages[name] for name in scores])
    pairs = zip(scores, judged, strict=True)
    return dict(sorted(pairs, key=lambda found: -found[1]))
