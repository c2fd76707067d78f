"""A whole search over the index in memory: whose passages, in which order, and what is read for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from penstock.platforms.memory.index import MemoryIndex
from penstock.ports import MOST_MATCHES, Vector
from penstock.rag.passages import Passage, entry, told
from penstock.rag.search import MOST_FOUND, POOL, Hit, Question, search

MODEL = "m"
EAST, NORTH = Vector(MODEL, (1, 0)), Vector(MODEL, (0, 1))


class Shelf:
    """Passages of owners in an index, and the rows they stand in."""

    def __init__(self, model: str = "", *, lexical: bool = True) -> None:
        self.index = MemoryIndex(model, 2 if model else 0, lexical=lexical)
        self.rows: dict[str, dict[str, Passage]] = {}
        self.read_ids: list[Sequence[str]] = []

    async def put(self, passage: Passage, vector: Vector | None = None, owner: str = "ann") -> None:
        await self.index.upsert([entry(passage, owner, vector)])
        self.rows.setdefault(owner, {})[passage.id] = passage

    async def hits(self, question: Question, owner: str = "ann", rerank=None) -> list[Hit]:
        async def read(ids: Sequence[str]) -> Mapping[str, Passage]:
            self.read_ids.append(ids)
            rows = self.rows.get(owner, {})
            return {name: rows[name] for name in ids if name in rows}

        return await search(self.index, read, owner, question, rerank)

    async def ids(self, question: Question, owner: str = "ann", rerank=None) -> list[str]:
        return [hit.passage.id for hit in await self.hits(question, owner, rerank)]


async def test_nothing_is_found_where_nothing_is() -> None:
    shelf = Shelf()
    assert await shelf.ids(Question("anything")) == []
    assert await shelf.ids(Question("")) == []
    assert shelf.read_ids == []


async def test_terms_find_and_the_first_has_one() -> None:
    shelf = Shelf()
    await shelf.put(Passage("a", "d", "Tokens expire after an hour."))
    await shelf.put(Passage("b", "d", "Budgets are exact."))
    [hit] = await shelf.hits(Question("When does a token expire?"))
    assert (hit.passage.id, hit.score) == ("a", 1)


async def test_a_heading_counts_more_than_a_mention() -> None:
    shelf = Shelf()
    await shelf.put(Passage("a", "d", "Retries, limits and budgets are told of below."))
    await shelf.put(Passage("b", "d", "They are told in the reply of it.", ("Guide", "Budgets")))
    assert await shelf.ids(Question("budgets")) == ["b", "a"]


async def test_a_phrase_goes_before_the_same_words_apart() -> None:
    shelf = Shelf()
    await shelf.put(Passage("a", "d", "A limit that every rate needs is a limit on each rate."))
    await shelf.put(
        Passage("b", "d", "A long text in which a rate limit is told of once, no more.")
    )
    assert await shelf.ids(Question("rate limit")) == ["b", "a"]


async def test_identifiers_are_found_by_their_parts() -> None:
    shelf = Shelf()
    await shelf.put(Passage("a", "d", "def getUserName(user_id): ..."))
    assert await shelf.ids(Question("get the user name")) == ["a"]
    assert await shelf.ids(Question("user id")) == ["a"]


async def test_vectors_and_terms_are_fused_and_each_finds_alone() -> None:
    shelf = Shelf(MODEL)
    await shelf.put(Passage("both", "d", "north wind"), NORTH)
    await shelf.put(Passage("term", "d", "north of the wall"), EAST)
    await shelf.put(Passage("near", "d", "boreal"), Vector(MODEL, (0.1, 1)))
    assert (await shelf.ids(Question("north", NORTH)))[0] == "both"
    assert set(await shelf.ids(Question("north"))) == {"both", "term"}
    assert (await shelf.ids(Question("arctic", Vector(MODEL, (0.1, 1)))))[0] == "near"


async def test_vectors_alone_find_where_an_index_has_no_terms() -> None:
    shelf = Shelf(MODEL, lexical=False)
    await shelf.put(Passage("a", "d", "east"), EAST)
    await shelf.put(Passage("b", "d", "north"), NORTH)
    assert await shelf.ids(Question("east", NORTH, k=1)) == ["b"]


async def test_no_other_owners_passage_is_found_or_read() -> None:
    shelf = Shelf(MODEL)
    await shelf.put(Passage("a", "d", "the secret plan"), EAST, owner="eve")
    await shelf.put(Passage("b", "d", "the public plan"), NORTH)
    assert await shelf.ids(Question("secret plan", EAST)) == ["b"]
    assert {name for ids in shelf.read_ids for name in ids} == {"b"}
    assert await shelf.ids(Question("secret plan", EAST), owner="bob") == []


async def test_one_document_is_searched_when_it_is_named() -> None:
    shelf = Shelf(MODEL)
    await shelf.put(Passage("a", "one", "a plan"), EAST)
    await shelf.put(Passage("b", "two", "a plan"), EAST)
    assert await shelf.ids(Question("plan", EAST, document="two")) == ["b"]
    assert await shelf.ids(Question("plan", EAST, document="three")) == []


async def test_what_is_no_longer_there_is_not_found_and_takes_no_place() -> None:
    shelf = Shelf(MODEL)
    for name in "abc":
        await shelf.put(Passage(name, "d", "a plan"), EAST)
    del shelf.rows["ann"]["a"]
    hits = await shelf.hits(Question("plan", EAST))
    assert [hit.passage.id for hit in hits] == ["b", "c"]
    assert hits[0].score == pytest.approx(1)


async def test_what_may_not_be_read_yet_hides_nothing() -> None:
    shelf = Shelf(MODEL, lexical=False)
    await shelf.put(Passage("there", "one", "An otter."), NORTH)
    for number in range(2 * POOL):
        await shelf.put(Passage(f"w{number}", "being-written", "A walrus."), EAST)
        del shelf.rows["ann"][f"w{number}"]
    assert await shelf.ids(Question("walrus", EAST)) == ["there"]
    assert len(shelf.read_ids) == 2


async def test_it_reads_once_and_no_more_than_it_needs() -> None:
    shelf = Shelf(MODEL)
    for number in range(MOST_MATCHES):
        await shelf.put(Passage(f"n{number:03}", "d", "a plan"), Vector(MODEL, (1, number)))
    assert len(await shelf.ids(Question("plan", EAST, k=3))) == 3
    [ids] = shelf.read_ids
    assert len(ids) == len(set(ids)) <= 2 * POOL
    assert len(await shelf.ids(Question("plan", k=1_000))) == MOST_FOUND


async def test_a_reranker_orders_what_was_found() -> None:
    shelf = Shelf()
    await shelf.put(Passage("a", "d", "plan plan plan"))
    await shelf.put(Passage("b", "d", "a plan that is longer than it"))
    assert await shelf.ids(Question("plan")) == ["a", "b"]
    seen: list[tuple[str, list[str]]] = []

    async def longest(text: str, passages: Sequence[Passage]) -> Sequence[float]:
        seen.append((text, [one.id for one in passages]))
        return [len(one.text) / 100 for one in passages]

    found = await shelf.hits(Question("plan", k=1), rerank=longest)
    assert [(hit.passage.id, hit.score) for hit in found] == [("b", 0.29)]
    assert seen == [("plan", ["a", "b"])]


async def test_variety_keeps_copies_from_filling_the_answer() -> None:
    shelf = Shelf(MODEL)
    for name in "abc":
        await shelf.put(Passage(name, "d", "the plan of the north"), NORTH)
    await shelf.put(Passage("d", "d", "a plan with other words about it"), EAST)
    question = Question("plan", NORTH, k=2)
    assert await shelf.ids(question) == ["a", "b"]
    assert await shelf.ids(Question("plan", NORTH, k=2, variety=0.6)) == ["a", "d"]


def test_a_model_is_told_the_titles_too() -> None:
    assert told(Passage("a", "d", "Text.", ("Guide", "Use"))) == "Guide > Use\nText."
    assert told(Passage("a", "d", "Text.")) == "Text."
