"""Documents move to another model's index while the old one is searched; nothing is charged to their owners."""

from __future__ import annotations

from dataclasses import replace

import pytest

from penstock.errors import Error
from penstock.gateway import Gateway, build
from penstock.gateway.reindexing import Done, reindex
from penstock.platforms.memory.index import MemoryIndex, MemoryPlace
from penstock.wire.http import Response
from tests.path.documents import DIMENSION, MODEL, Documents
from tests.path.world import body


class Moving:
    """A world that searches by terms, and a gateway on the same rows that has a model."""

    def __init__(self) -> None:
        place: MemoryPlace = {}
        self.world = Documents()
        self.world.index = MemoryIndex(place=place)
        self.world.on(index=self.world.index)
        self.dense = Documents(dense=True)
        self.index = MemoryIndex(MODEL, DIMENSION, place=place)
        platform = replace(self.world.platform, index=self.index, fetch=self.dense.platform.fetch)
        self.gateway: Gateway = build(
            self.dense.gateway.config, platform, lambda _, error: self.world.reports.append(error)
        )
        self.told: list[int] = []

    async def reindex(self, *, everything: bool = False) -> Done:
        return await reindex(
            self.gateway, everything=everything, tell=lambda done: self.told.append(done.passages)
        )

    async def only(self) -> str:
        """The id of the one document."""
        [(id,)] = await self.world.platform.tables.rows("select id from documents")
        return str(id)

    async def entries(self) -> tuple[int, int]:
        """In the old index and in the new one."""
        return (await self.world.index.describe()).entries, (await self.index.describe()).entries


async def test_each_document_is_in_the_new_index_and_still_in_the_old_one() -> None:
    moving = Moving()
    await moving.world.put()
    await moving.world.put("Long text. " * 1_000, "long.txt", token=moving.world.token("bob"))
    old, _ = await moving.entries()
    done = await moving.reindex()
    assert (done.total, done.documents, done.passages) == (2, 2, old)
    assert await moving.entries() == (old, old)
    assert moving.told[-1] == old
    assert moving.told == sorted(moving.told)
    assert await moving.world.found("walrus") == ["animals.md"]
    found = await moving.gateway.platform.tables.rows("select distinct model from documents")
    assert found == [(MODEL,)]


async def test_again_there_is_nothing_left_but_what_came_meanwhile() -> None:
    moving = Moving()
    await moving.world.put()
    await moving.reindex()
    assert (await moving.reindex()).documents == 0
    await moving.world.put("It came while the old processes ran.", "late.txt")
    assert (await moving.reindex()).documents == 1
    assert (await moving.reindex(everything=True)).documents == 2


async def test_where_the_model_fails_the_rest_is_left_for_the_next_time() -> None:
    moving = Moving()
    for number in range(3):
        await moving.world.put(f"text number {number}", f"{number}.txt")
    moving.dense.fails = [Response(400, [], b"{}")]
    with pytest.raises(Error):
        await moving.reindex()
    done = await moving.reindex()
    old, new = await moving.entries()
    assert (done.documents, old) == (3, new)


async def test_a_deleted_one_is_gone_from_both() -> None:
    moving = Moving()
    id = (await body(await moving.world.put()))["documentId"]
    await moving.reindex()
    await moving.world.delete(id)
    assert await moving.entries() == (0, 0)


async def test_its_owner_pays_nothing_for_it() -> None:
    moving = Moving()
    await moving.world.put()
    await moving.reindex()
    await moving.gateway.journal.flush()
    rows = await moving.gateway.platform.tables.rows(
        "select distinct owner from ledger where stage = 'final'"
    )
    assert rows == [("/reindex",)]


async def test_a_model_that_has_another_dimension_now_gets_all_documents_anew() -> None:
    moving = Moving()
    await moving.world.put()
    await moving.reindex()
    await moving.index.delete("default/alice", document=(await moving.only()))
    assert (await moving.reindex()).documents == 1
    assert (await moving.index.describe()).entries == 1
