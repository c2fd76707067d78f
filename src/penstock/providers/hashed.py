"""Lexical embeddings by signed feature hashing: no model, only shared words and word pairs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b

MODEL = "hashed-lexical-384"
DIMENSION = 384

_WORD = re.compile(r"\w+")
_PAIR_WEIGHT = 0.5


def hashed_vectors(texts: Sequence[str], dimension: int = DIMENSION) -> list[list[float]]:
    """One vector of length 1 a text; a text without a word counts as one word."""
    return [_vector(text, dimension) for text in texts]


def _vector(text: str, dimension: int) -> list[float]:
    values = [0.0] * dimension
    for feature, weight in _features(text):
        digest = int.from_bytes(blake2b(feature.encode(), digest_size=8).digest(), "little")
        values[(digest >> 1) % dimension] += weight if digest & 1 else -weight
    norm = math.sqrt(sum(value * value for value in values))
    if not norm:
        # Features that cancelled out: still a direction, so that cosines are defined.
        values[0] = norm = 1.0
    return [value / norm for value in values]


def _features(text: str) -> Iterator[tuple[str, float]]:
    before = ""
    for word in _WORD.findall(text.casefold()) or [text]:
        yield word, 1.0
        if before:
            yield f"{before} {word}", _PAIR_WEIGHT
        before = word
