"""The statements of documents on every Tables: one holder, one claim, a quota that holds, and owners kept apart."""

from __future__ import annotations

import asyncio

import pytest
from msgspec import structs

from penstock.errors import Conflict
from penstock.platforms.migrations import shipped
from penstock.ports import Tables
from penstock.rag import documents
from penstock.rag.chunk import chunks
from penstock.rag.documents import LEASE_MS, Document, Lost
from penstock.rag.passages import Passage

NOW = 1_800_000_000_000
TEXT = "# One\n\nA walrus.\n\n# Two\n\nAn otter."
MINE = ("t/a", "t/")


@pytest.fixture
async def kept(tables: Tables) -> Tables:
    """With the tables of documents."""
    for step in shipped():
        if step.name == "documents":
            plain = "\n".join(line for line in step.sql.split("\n") if not line.startswith("--"))
            for statement in plain.split(";"):
                if statement.strip():
                    await tables.batch((statement, ()))
    return tables


def document(number: int = 1, owner: str = "t/a", **other: object) -> Document:
    made = Document(
        id=f"doc_{number}", owner=owner, hash=f"hash {number}", filename=f"{number}.md", declared="", kind="", title="",
        bytes=5 << 30, shared=0, state="queued", reason="", message="", model="", chunks=0, done=0, tenant="t", sub="a",
        tier="free", key_id="", at=NOW + number, changed_at=NOW, holder="upl", lease_until=NOW + LEASE_MS, tries=0,
    )  # fmt: skip
    return structs.replace(made, **other)


async def added(tables: Tables, *made: Document, most: int = 10) -> None:
    for one in made:
        await documents.add(tables, one, most)
        assert await documents.release(tables, one, NOW)


async def ready(tables: Tables, id: str) -> Document:
    """Claims it and goes all the way."""
    held = await documents.claim(tables, f"by {id}", NOW, id)
    assert held is not None
    parts = list(chunks(TEXT, 20))
    assert await documents.parsed(tables, held, "markdown", "Title", len(parts), NOW) == 0
    some = [
        Passage(f"{id}:{n}", id, part.text, ("Title", *part.titles)) for n, part in enumerate(parts)
    ]
    await documents.advance(tables, held, 0, parts, some, NOW)
    await documents.ready(tables, held, "model", NOW)
    return held


async def test_from_an_upload_to_its_passages(kept: Tables) -> None:
    await added(kept, document())
    assert await documents.passages(kept, MINE, ["doc_1:0"]) == {}
    assert await documents.waiting(kept, 10) == 1
    await ready(kept, "doc_1")
    found = await documents.passages(kept, MINE, ["doc_1:1", "doc_1:0", "doc_1:9"])
    assert sorted(found) == ["doc_1:0", "doc_1:1"]
    one = found["doc_1:1"]
    assert one.passage.text == TEXT[one.start : one.end]
    assert (one.number, one.filename, one.passage.titles) == (1, "1.md", ("Title", "Two"))
    told = await documents.find(kept, MINE, "doc_1")
    assert told is not None
    assert (told.state, told.chunks, told.done, told.model) == ("ready", 2, 2, "model")
    assert await documents.versions(kept, MINE) == {"t/a": 1}
    assert await documents.waiting(kept, 10) == 0
    assert not await documents.due(kept, NOW)


async def test_owners_are_apart(kept: Tables) -> None:
    await added(kept, document(1), document(2, "t/b"), document(3, "t/"), document(4, "t/a"))
    for number in (1, 2, 3):
        await ready(kept, f"doc_{number}")
    ids = [f"doc_{n}:0" for n in range(1, 50)]
    assert sorted(await documents.passages(kept, MINE, ids)) == ["doc_1:0", "doc_3:0"]
    assert await documents.find(kept, MINE, "doc_2") is None
    listed = await documents.page(kept, MINE, "", 10)
    assert [one.id for one in listed] == ["doc_4", "doc_3", "doc_1"]
    assert [one.id for one in await documents.page(kept, MINE, "doc_4", 1)] == ["doc_3"]
    assert await documents.same(kept, "t/b", "hash 1") is None


async def test_a_quota_holds_whoever_comes_at_once(kept: Tables) -> None:
    told = await asyncio.gather(
        *(documents.add(kept, document(n), 3) for n in range(12)), return_exceptions=True
    )
    refused = [one.name for one in told if isinstance(one, Conflict)]
    assert refused == [documents.QUOTA] * 9
    assert len(await documents.page(kept, MINE, "", 20)) == 3


async def test_the_same_twice_is_a_conflict_and_counts_once(kept: Tables) -> None:
    await added(kept, document(1))
    with pytest.raises(Conflict) as conflict:
        await documents.add(kept, document(2, hash="hash 1"), 10)
    assert conflict.value.name == documents.CONTENT
    assert await kept.rows("select count from document_owners") in ([(1,)], ((1,),))


async def test_one_claims_and_the_owner_who_waited_longest_is_first(kept: Tables) -> None:
    await added(kept, document(1), document(2), document(3, "t/b"))
    claimed = [await documents.claim(kept, f"h{n}", NOW + n) for n in range(4)]
    assert [one.id if one else None for one in claimed] == ["doc_1", "doc_3", "doc_2", None]
    assert [one.tries for one in claimed if one] == [1, 1, 1]
    later = NOW + LEASE_MS + 10
    assert await documents.due(kept, later)
    again = await documents.claim(kept, "again", later)
    assert again is not None
    assert (again.tries, again.state) == (2, "parsing")
    first = claimed[0]
    assert first is not None
    if first.id == again.id:
        with pytest.raises(Lost):
            await documents.renew(kept, first, later)
    await documents.renew(kept, again, later)


async def test_whoever_lost_it_writes_nothing(kept: Tables) -> None:
    await added(kept, document())
    first = await documents.claim(kept, "first", NOW)
    second = await documents.claim(kept, "second", NOW + LEASE_MS + 1)
    assert first is not None
    assert second is not None
    parts = list(chunks(TEXT))
    some = [Passage("doc_1:0", "doc_1", TEXT)]
    for write in (
        documents.parsed(kept, first, "text", "", 1, NOW),
        documents.advance(kept, first, 0, parts, some, NOW),
        documents.ready(kept, first, "", NOW),
        documents.fail(kept, first, "code", "why", NOW),
    ):
        with pytest.raises(Lost):
            await write
    assert await kept.rows("select count(*) from passages") in ([(0,)], ((0,),))
    assert await documents.versions(kept, MINE) == {"t/a": 0}
    assert not await documents.release(kept, first, NOW)


async def test_a_failed_one_does_not_count_and_gives_way(kept: Tables) -> None:
    await added(kept, document(1), most=1)
    held = await documents.claim(kept, "one", NOW)
    assert held is not None
    await documents.fail(kept, held, "code", "why", NOW)
    told = await documents.find(kept, MINE, "doc_1")
    assert told is not None
    assert (told.state, told.reason, told.message) == ("failed", "code", "why")
    await added(kept, document(2, hash="hash 1"), most=1)
    assert await documents.find(kept, MINE, "doc_1") is None
    with pytest.raises(Conflict):
        await documents.add(kept, document(3), 1)


async def test_a_deleted_one_is_gone_at_once_and_its_row_when_nobody_works_on_it(
    kept: Tables,
) -> None:
    await added(kept, document(1), document(2), document(3))
    await ready(kept, "doc_1")
    held = await documents.claim(kept, "two", NOW, "doc_2")
    assert held is not None
    one, two = document(1), document(2)
    assert await documents.delete(kept, one, NOW)
    assert not await documents.delete(kept, two, NOW)
    assert await documents.passages(kept, MINE, ["doc_1:0"]) == {}
    assert [one.id for one in await documents.page(kept, MINE, "", 9)] == ["doc_3"]
    assert await documents.versions(kept, MINE) == {"t/a": 2}
    assert await kept.rows("select count from document_owners") in ([(1,)], ((1,),))
    assert [row[0] for row in await documents.deleted(kept, NOW, 9)] == ["doc_1"]
    await documents.remove(kept, "doc_1")
    after = NOW + 3 * LEASE_MS
    assert [row[0] for row in await documents.deleted(kept, after, 9)] == ["doc_2"]
    await added(kept, document(4, hash="hash 2"))


async def test_failed_ones_are_swept(kept: Tables) -> None:
    await added(kept, document())
    held = await documents.claim(kept, "one", NOW)
    assert held is not None
    await documents.fail(kept, held, "code", "why", NOW)
    assert not await documents.sweep(kept, NOW + documents.KEPT_FAILED_MS)
    assert await documents.find(kept, MINE, "doc_1") is not None
    await documents.sweep(kept, NOW + documents.KEPT_FAILED_MS + 1)
    assert await documents.find(kept, MINE, "doc_1") is None
    assert [row[0] for row in await documents.deleted(kept, NOW, 9)] == ["doc_1"]
