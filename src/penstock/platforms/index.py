"""What every Index refuses, and the arithmetic of its scores."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence

from penstock.errors import BadRequest, WrongModel
from penstock.ports import (
    MOST_DIMENSIONS,
    MOST_ENTRIES,
    MOST_ID_BYTES,
    MOST_MATCHES,
    MOST_TERMS,
    MOST_TERMS_ASKED,
    Entry,
    Match,
    Vector,
)

DECIMALS = 6
"""Of a score: what float32 can tell apart, so that equal things have equal scores."""
SATURATION = 1.2
"""BM25's k1: how soon another occurrence of a term stops mattering."""
LENGTH_SHARE = 0.75
"""BM25's b: how much a long entry's terms count less."""


def check_model(model: str, dimension: int) -> None:
    """Can an index be made of vectors like these (none: an empty name and 0)? Raises BadRequest."""
    if not (0 < dimension <= MOST_DIMENSIONS if model else dimension == 0):
        raise BadRequest(
            f"An index has a model with 1 to {MOST_DIMENSIONS} dimensions, or none and 0."
        )


def unit(vector: Vector, model: str, dimension: int) -> list[float]:
    """The vector at length 1; raises WrongModel, and BadRequest where it has no direction."""
    if (vector.model, len(vector.values)) != (model, dimension):
        raise mismatch((model, dimension), (vector.model, len(vector.values)))
    length = math.hypot(*vector.values)
    if not 0 < length < math.inf:
        raise BadRequest("A vector's numbers must be finite, and not all of them zero.")
    return [value / length for value in vector.values]


def check_drop(own: tuple[str, int], other: tuple[str, int]) -> None:
    """Raises BadRequest for an index's own model: who searches by it would find nothing."""
    if own == other:
        raise BadRequest(f"The index is of model {own[0]!r}: only another model's is dropped.")


def mismatch(here: tuple[str, int], there: tuple[str, int]) -> WrongModel:
    """What to tell whoever brings vectors of `there` to an index of `here`: (model, dimension) each."""
    (model, dimension), (other, others) = here, there
    return WrongModel(
        f"The index is of model {model!r} with {dimension} dimensions, not of {other!r} with {others}:"
        " name its model in the configuration, or make the index anew."
    )


def checked(entries: Sequence[Entry], model: str) -> list[Entry]:
    """The entries to write, the last of each owner and id; raises BadRequest where one is above a limit."""
    if len(entries) > MOST_ENTRIES:
        raise BadRequest(f"At most {MOST_ENTRIES} entries are written at once: send them in parts.")
    for entry in entries:
        _check_entry(entry, model)
    return list({(entry.owner, entry.id): entry for entry in entries}.values())


def _check_entry(entry: Entry, model: str) -> None:
    check_owner(entry.owner)
    check_id(entry.id)
    check_id(entry.document)
    if len(entry.terms) > MOST_TERMS:
        raise BadRequest(f"An entry has at most {MOST_TERMS} terms: make it smaller.")
    if model and entry.vector is None:
        raise BadRequest("Each entry of this index needs a vector.")


def check_delete(owner: str, ids: Sequence[str], document: str | None) -> None:
    """Raises BadRequest where that is not one delete."""
    check_owner(owner)
    if len(ids) > MOST_ENTRIES:
        raise BadRequest(f"At most {MOST_ENTRIES} ids are deleted at once: send them in parts.")
    for name in (*ids, *_named(document)):
        check_id(name)


def check_search(
    owner: str, k: int, vector: Vector | None, terms: Sequence[str] | None, document: str | None
) -> None:
    """Raises BadRequest where that is not one search."""
    check_owner(owner)
    if not 0 < k <= MOST_MATCHES:
        raise BadRequest(f"A search finds 1 to {MOST_MATCHES} entries.")
    if vector is None and terms is None:
        raise BadRequest("A search needs a vector, terms, or both.")
    if terms is not None and len(terms) > MOST_TERMS_ASKED:
        raise BadRequest(f"A search has at most {MOST_TERMS_ASKED} terms.")
    for name in _named(document):
        check_id(name)


def _named(document: str | None) -> tuple[str, ...]:
    return () if document is None else (document,)


def check_owner(owner: str) -> None:
    """Raises BadRequest for nobody: a forgotten owner must not become everybody's."""
    if not owner:
        raise BadRequest("Entries have an owner.")


def check_id(name: str) -> None:
    """Raises BadRequest for an id that not every platform can hold whole."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        size = 0
    if not 0 < size <= MOST_ID_BYTES:
        raise BadRequest(f"An id is 1 to {MOST_ID_BYTES} bytes of UTF-8.")


def rarity(entries: int, having: int) -> float:
    """BM25's weight of a term that `having` of the owner's `entries` have."""
    return math.log(1 + (entries - having + 0.5) / (having + 0.5))


def weight(count: int, length: int, mean: float) -> float:
    """BM25's weight of `count` occurrences in an entry of `length` terms, where the owner's have `mean`."""
    norm = 1 - LENGTH_SHARE + LENGTH_SHARE * length / mean
    return count * (SATURATION + 1) / (count + SATURATION * norm)


def best(scores: Iterable[tuple[str, float]], k: int) -> tuple[Match, ...]:
    """The `k` highest, by id where they are equal."""
    found = heapq.nsmallest(k, ((-round(score, DECIMALS), name) for name, score in scores))
    return tuple(Match(name, -score) for score, name in found)
