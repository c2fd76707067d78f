"""An index in this process: every entry of the owner is looked at, exactly."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from operator import mul

from msgspec import Struct

from penstock.platforms import index
from penstock.ports import About, Entry, Found, Other, Vector


class Kept(Struct, frozen=True):
    """An entry: its vector at length 1 in float32, empty without one, and how often it has each term."""

    document: str
    vector: Sequence[float]
    counts: Counter[str]
    length: int


Owners = dict[str, dict[str, Kept]]
MemoryPlace = dict[tuple[str, int], Owners]
"""Entries by owner, by model and dimension."""


class MemoryIndex:
    """Entries by owner, in a place that other models' indexes may share. Without `lexical` it is as a platform that has
    vectors alone."""

    def __init__(
        self,
        model: str = "",
        dimension: int = 0,
        *,
        lexical: bool = True,
        place: MemoryPlace | None = None,
    ) -> None:
        index.check_model(model, dimension)
        self._model = model
        self._dimension = dimension
        self._lexical = lexical
        self._place = {} if place is None else place
        self._owners = self._place.setdefault((model, dimension), {})

    async def upsert(self, entries: Sequence[Entry]) -> None:
        kept = [(entry, self._kept(entry)) for entry in index.checked(entries, self._model)]
        for entry, values in kept:
            self._owners.setdefault(entry.owner, {})[entry.id] = values

    async def delete(
        self, owner: str, ids: Sequence[str] = (), document: str | None = None
    ) -> None:
        index.check_delete(owner, ids, document)
        gone = set(ids)
        for owners in self._place.values():
            left = {
                name: kept
                for name, kept in owners.pop(owner, {}).items()
                if name not in gone and (document is None or kept.document != document)
            }
            if left:
                owners[owner] = left

    async def search(
        self,
        owner: str,
        k: int,
        *,
        vector: Vector | None = None,
        terms: Sequence[str] | None = None,
        document: str | None = None,
    ) -> Found:
        index.check_search(owner, k, vector, terms, document)
        entries = self._owners.get(owner, {})
        near = [] if vector is None else self._near(entries, vector)
        told = _told(entries, set(terms or ())) if self._lexical else ()
        in_scope = {name for name, kept in entries.items() if document in (None, kept.document)}
        return Found(
            index.best((found for found in near if found[0] in in_scope), k),
            index.best((found for found in told if found[0] in in_scope), k),
        )

    async def describe(self) -> About:
        counts = {shape: sum(map(len, owners.values())) for shape, owners in self._place.items()}
        entries = counts.pop((self._model, self._dimension))
        others = tuple(Other(*shape, count) for shape, count in sorted(counts.items()) if count)
        return About(self._model, self._dimension, entries, self._lexical, others=others)

    async def drop(self, model: str, dimension: int) -> None:
        index.check_drop((self._model, self._dimension), (model, dimension))
        self._place.get((model, dimension), {}).clear()

    def _kept(self, entry: Entry) -> Kept:
        values = () if entry.vector is None else self._unit(entry.vector)
        return Kept(entry.document, values, Counter(entry.terms), len(entry.terms))

    def _unit(self, vector: Vector) -> Sequence[float]:
        return array("f", index.unit(vector, self._model, self._dimension))

    def _near(self, entries: dict[str, Kept], vector: Vector) -> list[tuple[str, float]]:
        """Each entry with its cosine."""
        asked = self._unit(vector)
        return [(name, sum(map(mul, asked, kept.vector))) for name, kept in entries.items()]


def _told(entries: dict[str, Kept], terms: set[str]) -> Iterator[tuple[str, float]]:
    """The entries that have one of the terms, with their BM25 among these entries."""
    mean = sum(kept.length for kept in entries.values()) / max(1, len(entries))
    having = {term: sum(term in kept.counts for kept in entries.values()) for term in terms}
    for name, kept in entries.items():
        shared = sorted(terms & kept.counts.keys())
        if shared:
            yield (
                name,
                sum(
                    index.rarity(len(entries), having[term])
                    * index.weight(kept.counts[term], kept.length, mean)
                    for term in shared
                ),
            )
