"""Every Index against a model so naive that it is plainly right."""

from __future__ import annotations

import asyncio
import math
import tempfile
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.platforms.memory.world import FakeClock
from penstock.ports import Entry, Found, Index, Match, Vector
from tests.contract import homes, servers
from tests.stores import PostgresServer

Home = Callable[[Path, FakeClock, str, int], AbstractAsyncContextManager[Index]]

MODEL = "small"

owners = st.sampled_from(["ann", "bob", "ann\x00"])
names = st.sampled_from(["a", "b", "c", "é", "a\x00"])
documents = st.sampled_from(["d", "e"])
words = st.lists(st.sampled_from(["x", "y", '"', "\x00", ""]), max_size=6)
vectors = st.sampled_from([(1, 0), (0, 2), (-3, 0), (1, 1), (0.5, 0.5), (3, 4)]).map(
    lambda values: Vector(MODEL, values)
)
entries = st.builds(Entry, names, owners, documents, vectors, words)
upserts = st.tuples(st.just("upsert"), st.lists(entries, max_size=8))
deletes = st.tuples(st.just("delete"), owners, st.lists(names, max_size=3), st.none() | documents)
searches = st.tuples(
    st.just("search"), owners, st.integers(1, 5), vectors, words, st.none() | documents
)
scenarios = st.lists(st.one_of(upserts, upserts, deletes, searches, searches), max_size=20)


class Model:
    """A list of all entries, walked for each question."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def upsert(self, entries: list[Entry]) -> None:
        for entry in entries:
            self.delete(entry.owner, [entry.id], None)
            self.entries.append(entry)

    def delete(self, owner: str, ids: list[str], document: str | None) -> None:
        self.entries = [
            entry
            for entry in self.entries
            if entry.owner != owner or not (entry.id in ids or entry.document == document)
        ]

    def search(
        self, owner: str, k: int, vector: Vector, terms: list[str], document: str | None
    ) -> tuple[list[Match], list[Match]]:
        own = [entry for entry in self.entries if entry.owner == owner]
        asked = [entry for entry in own if document in (None, entry.document)]
        near = [Match(entry.id, cosine(entry.vector, vector)) for entry in asked]
        told = [
            Match(entry.id, bm25(entry, set(terms), own))
            for entry in asked
            if set(terms) & set(entry.terms)
        ]
        return first(near, k), first(told, k)


def cosine(one: Vector | None, other: Vector) -> float:
    assert one is not None
    (a, b), (c, d) = one.values, other.values
    return (a * c + b * d) / (math.hypot(a, b) * math.hypot(c, d))


def bm25(entry: Entry, terms: set[str], own: list[Entry]) -> float:
    mean = sum(len(other.terms) for other in own) / len(own)
    score = 0.0
    for term in terms & set(entry.terms):
        having = sum(term in other.terms for other in own)
        count, share = list(entry.terms).count(term), len(entry.terms) / mean
        rarity = math.log(1 + (len(own) - having + 0.5) / (having + 0.5))
        score += rarity * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * share))
    return score


def first(matches: list[Match], k: int) -> list[Match]:
    """By score as far as six decimals tell, and by id."""
    return sorted(matches, key=lambda match: (-round(match.score, 6), match.id))[:k]


def same(found: tuple[Match, ...], expected: list[Match]) -> bool:
    return [match.id for match in found] == [match.id for match in expected] and all(
        math.isclose(one.score, other.score, abs_tol=2e-6)
        for one, other in zip(found, expected, strict=True)
    )


async def play(home: Home, scenario: list) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with home(Path(folder), FakeClock(), MODEL, 2) as index:
            lexical, model = (await index.describe()).lexical, Model()
            for what, *args in scenario:
                if what == "upsert":
                    await index.upsert(*args)
                    model.upsert(*args)
                elif what == "delete":
                    await index.delete(*args)
                    model.delete(*args)
                else:
                    owner, k, vector, terms, document = args
                    found: Found = await index.search(
                        owner, k, vector=vector, terms=terms, document=document
                    )
                    near, told = model.search(owner, k, vector, terms, document)
                    assert same(found.by_vector, near)
                    assert same(found.by_terms, told if lexical else [])
            assert (await index.describe()).entries == len(model.entries)


@pytest.mark.parametrize("home", servers.INDEXES)
@settings(max_examples=10)
@given(scenario=scenarios)
def test_a_servers_index_is_its_model(
    vector_server: PostgresServer, home: str, scenario: list
) -> None:
    def opened(_, __, model, dimension):
        return servers.index(vector_server, model, dimension)

    asyncio.run(play(opened, scenario))


@pytest.mark.parametrize("home", homes.INDEXES)
@given(scenario=scenarios)
def test_an_index_is_its_model(home: str, scenario: list) -> None:
    asyncio.run(play(homes.INDEXES[home], scenario))
