"""Two rankings made one: reciprocal ranks, weighed by what a question's own results tell of each."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

FLAT = 5
"""Added to a rank before it is inverted: how little the first places stand out."""
AGREE = 10
"""The first places of each ranking that are compared."""

# Chosen on half of the questions of three sets, as they are and worsened (decision 0043).
DENSE = 0.2
"""The weight of a ranking by vectors beside one by terms, where they agree in nothing and nothing asked is missing."""
FOR_AGREEMENT = 2.0
FOR_ABSENCE = 6.0
PRESENT = 0.8
"""Of the asked terms in one passage: with so many nothing counts as missing."""
MOST_DENSE = 20.0


class Weights(Struct, frozen=True):
    """How much a place in each ranking counts."""

    terms: float
    vector: float


def weights(by_terms: Sequence[str], by_vector: Sequence[str], coverage: float) -> Weights:
    """`coverage`: the share of the asked terms that one of the passages first by terms has.

    Where it is low, terms did not find what was meant, and vectors may have; where both agree, both are right.
    """
    missing = max(0.0, PRESENT - coverage)
    shared = len(set(by_terms[:AGREE]) & set(by_vector[:AGREE])) / AGREE
    raised = math.exp(FOR_ABSENCE * missing**2 + FOR_AGREEMENT * shared)
    return Weights(1.0, min(MOST_DENSE, DENSE * raised))


def fuse(by_terms: Sequence[str], by_vector: Sequence[str], weigh: Weights) -> dict[str, float]:
    """Best first, by id where they are equal: 1 is the first place in both, or in the only one that found anything."""
    rankings = [
        (ids, weight)
        for ids, weight in ((by_terms, weigh.terms), (by_vector, weigh.vector))
        if ids and weight
    ]
    highest = sum(weight for _, weight in rankings) / (FLAT + 1)
    scores: dict[str, float] = {}
    for ids, weight in rankings:
        for rank, name in enumerate(ids, 1):
            scores[name] = scores.get(name, 0.0) + weight / (FLAT + rank) / highest
    return dict(sorted(scores.items(), key=lambda found: (-round(found[1], 9), found[0])))


def spread(
    scores: Mapping[str, float],
    terms: Mapping[str, Collection[str]],
    k: int,
    variety: float,
) -> list[str]:
    """`k` of them by maximal marginal relevance: the best, then each time the one that is good and unlike those taken.

    `variety` from 0, which keeps the order, to 1; likeness is the share of the terms that two have in common.
    """
    left = list(scores)
    likeness = dict.fromkeys(left, 0.0)
    taken: list[str] = []
    while left and len(taken) < k:
        best = max(left, key=lambda n: (1 - variety) * scores[n] - variety * likeness[n])
        left.remove(best)
        taken.append(best)
        for name in left:
            likeness[name] = max(likeness[name], alike(terms[best], terms[name]))
    return taken


def alike(one: Collection[str], other: Collection[str]) -> float:
    """The share of the terms of both that both have."""
    first, second = set(one), set(other)
    return len(first & second) / (len(first | second) or 1)
