"""How likely it is that what was found answers the question: signals of a search, weighed as judged sets taught."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from msgspec import Struct

from penstock.rag.spelt import Spelt
from penstock.rag.terms import words

FIRST = 5
"""Passages that are looked at for phrases and nearness, however many were asked for."""
NEAREST = 10
"""By vectors: from here on they are what the library's passages are to any question."""
DEFAULT_THRESHOLD = 0.3


class Signals(Struct, frozen=True):
    """What a search tells of itself.

    `coverage`: the share of the question's terms that the first passage has, each by its rarity among the owner's own passages
    that were read. `phrases`: of its pairs of neighbouring terms, in the best. `found`: ln(1 + passages found), since among many
    some have such terms by chance. `nearness`: by how much the nearest passage's cosine is above that of the eleventh and
    further ones; None without vectors.
    """

    coverage: float = 0.0
    phrases: float = 0.0
    found: float = 0.0
    nearness: float | None = None


NOTHING = Signals()


class Weights(Struct, frozen=True):
    """Of a logistic function of the signals."""

    constant: float
    coverage: float
    phrases: float
    found: float
    nearness: float = 0.0


# By `bench/rag_confidence.py --fit` on the first, third, … question of three sets (decision 0048).
LEXICAL = Weights(constant=-2.34, coverage=8.03, phrases=4.39, found=-0.51)
HYBRID = Weights(constant=-3.96, coverage=5.43, phrases=3.02, found=-0.34, nearness=7.38)


def confidence(found: Signals) -> float:
    """From 0 to 1; where nothing was found, 0."""
    if not found.found:
        return 0.0
    return 1 / (1 + math.exp(-weighed(found, LEXICAL if found.nearness is None else HYBRID)))


def weighed(found: Signals, by: Weights) -> float:
    """The logarithm of the odds."""
    return (
        by.constant
        + by.coverage * found.coverage
        + by.phrases * found.phrases
        + by.found * found.found
        + by.nearness * (found.nearness or 0.0)
    )


def signals(
    question: str,
    hits: Sequence[Spelt],
    read: Sequence[Spelt],
    found: int,
    cosines: Sequence[float] | None,
    nearest: float,
) -> Signals:
    """`hits`: what is given, best first; `read`: all that was read, `found`: how many there are of those found; `cosines` of
    all found by vectors, best first, and the highest of the hits' own, `nearest`."""
    if not hits:
        return NOTHING
    asked = words(question)
    rarity = _rarity(asked, read)
    whole = math.fsum(rarity.values()) or 1.0
    first = math.fsum(weight for term, weight in rarity.items() if term in hits[0].terms)
    pairs = set(pairwise(asked))
    shared = max(len(pairs & one.pairs) for one in hits[:FIRST]) / (len(pairs) or 1)
    return Signals(first / whole, shared, math.log1p(found), _nearness(cosines, nearest))


def _rarity(asked: Sequence[str], read: Sequence[Spelt]) -> Mapping[str, float]:
    holds = {term: sum(term in one.terms for one in read) for term in dict.fromkeys(asked)}
    return {term: math.log1p(len(read) / (0.5 + count)) for term, count in holds.items()}


def _nearness(cosines: Sequence[float] | None, nearest: float) -> float | None:
    if not cosines:
        return None
    # Each model has another scale of its own, which all its cosines share.
    others = cosines[NEAREST:]
    return nearest - (math.fsum(others) / len(others) if others else 0.0)
