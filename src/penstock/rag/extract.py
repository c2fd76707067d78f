"""An answer without a model: the sentences of the passages that come closest to the question, as they stand there."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

from penstock.rag.citations import Citation, Cited
from penstock.rag.sentences import Span, sentences
from penstock.rag.terms import words

MOST_SENTENCES = 3
MOST_READ = 400
"""Sentences of all passages that are looked at."""

# Chosen on the first, third, … question of the judged sets (decision 0048).
FOR_PAIRS = 0.25
"""What a pair of neighbouring terms counts beside a term."""
FOR_CONTEXT = 0.4
"""What a term counts that stands in the passage or its title, but not in the sentence."""
FOR_RANK = 0.8
"""Each place further back counts so much less."""
LEAST = 0.4
"""Of the best one's score: what has less is not given."""
FOR_HEADING = 0.1
"""A heading, or a question, tells what is asked about and not the answer."""

_MARK = re.compile(r"\[(?=[\d,;\s\u2013-]{1,40}\])([^]]*)\]")
_HEADING = re.compile(r"\s*#|.*\?\W*\Z", re.DOTALL)


class Piece(Struct, frozen=True):
    """A passage: its text, where that starts in its document, and what it stands under."""

    text: str
    start: int
    title: str = ""


class Picked(Struct, frozen=True):
    """A sentence of source `source`, from 1."""

    source: int
    span: Span
    score: float


def extract(question: str, pieces: Sequence[Piece], most: int = MOST_SENTENCES) -> Cited:
    """At most so many sentences with their citations, in the order of their passages; the same for the same."""
    picked = pick(question, pieces, most)
    parts: list[str] = []
    citations: list[Citation] = []
    for place, one in enumerate(picked, 1):
        piece, (start, end) = pieces[one.source - 1], one.span
        text = piece.text[start:end]
        citations.append(Citation(one.source, piece.start + start, piece.start + end, text))
        last = place == len(picked) or picked[place].source != one.source
        parts.append(f"{plain(text)} [{one.source}]" if last else plain(text))
    return Cited(" ".join(parts), tuple(citations))


def pick(question: str, pieces: Sequence[Piece], most: int) -> list[Picked]:
    """The best sentences, by passage and place."""
    asked = words(question)
    found: list[tuple[int, Span, list[str]]] = []
    for number, piece in enumerate(pieces, 1):
        left = sentences(piece.text)[: MOST_READ - len(found)]
        found += [(number, (a, b), words(piece.text[a:b])) for a, b in left]
    rarity = _rarity(asked, found)
    around = {n: rarity.keys() & {*words(p.text), *words(p.title)} for n, p in enumerate(pieces, 1)}
    pairs = set(pairwise(asked))
    scored = [
        Picked(number, span, _score(terms, pairs, around[number], rarity) * _worth(number, pieces, span))
        for number, span, terms in found
    ]  # fmt: skip
    ranked = sorted(scored, key=lambda one: (-round(one.score, 9), one.source, one.span))
    best = [one for one in ranked[:most] if one.score >= LEAST * ranked[0].score]
    return sorted(best, key=lambda one: (one.source, one.span))


def plain(text: str) -> str:
    """A sentence in one line; its own marks are no citations of ours, and it shows no image."""
    return _MARK.sub(r"(\1)", " ".join(text.split())).replace("![", "! [")


def _rarity(asked: Sequence[str], found: Sequence[tuple[int, Span, list[str]]]) -> dict[str, float]:
    """How much a term tells among these sentences."""
    holds = Counter(term for _, _, terms in found for term in set(terms))
    return {term: math.log(1 + len(found) / (0.5 + holds[term])) for term in asked}


def _score(
    terms: Sequence[str],
    pairs: set[tuple[str, str]],
    around: set[str],
    rarity: dict[str, float],
) -> float:
    """Of a sentence with these terms, for a question of such pairs; `around`: the question's terms that its passage has."""
    own = rarity.keys() & terms
    said = math.fsum(map(rarity.__getitem__, own))
    near = math.fsum(map(rarity.__getitem__, around - own))
    both = pairs.intersection(pairwise(terms)) if own else ()
    paired = math.fsum((rarity[a] + rarity[b]) / 2 for a, b in both)
    return said + FOR_PAIRS * paired + FOR_CONTEXT * near


def _worth(number: int, pieces: Sequence[Piece], span: Span) -> float:
    text = pieces[number - 1].text[span[0] : span[1]]
    return FOR_RANK ** (number - 1) * (FOR_HEADING if _HEADING.match(text) else 1.0)
