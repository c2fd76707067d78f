"""Answers from documents that are kept: for whom, until what changes, and what is found before anything is bought."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from penstock.platforms.memory.store import MemoryStore
from penstock.rag.prompt import NOT_FOUND
from penstock.wire.http import Response
from tests.path.asking import EATS, MODEL, SAYS, Asking
from tests.path.documents import WALRUS
from tests.path.world import body, read

PIES = "# Walrus pies\n\nThis walrus does eat pies."


async def prepared(dense: bool = False, more: str = MODEL) -> tuple[Asking, str]:
    world = Asking(more, dense=dense)
    put = await world.put()
    assert put.status == 201
    return world, (await body(put))["documentId"]


async def cached(world: Asking, **how: Any) -> str:
    response = await world.query(**how)
    await read(response)
    assert response.status == 200
    return response.header("x-penstock-cache") or ""


async def test_a_hit_embeds_nothing_and_buys_nothing() -> None:
    world, _ = await prepared(dense=True)
    first = await world.answer()
    before = len(world.platform.fetch.requests)
    response = await world.query()
    assert await body(response) == first | {"cost": 0, "cached": True}
    assert response.header("x-penstock-cache") == "hit"
    assert response.header("x-penstock-cost-nanos") == "0"
    assert len(world.platform.fetch.requests) == before


async def test_after_an_hour_it_is_asked_again() -> None:
    world, _ = await prepared()
    assert [await cached(world), await cached(world)] == ["miss", "hit"]
    await world.platform.clock.run(3_601)
    assert await cached(world) == "miss"


OTHERS: list[dict[str, Any]] = [
    {"question": EATS.lower()},
    {"question": EATS + "?"},
    {"topK": 3},
]


@pytest.mark.parametrize("asked", OTHERS)
async def test_another_question_is_another_answer(asked: dict[str, Any]) -> None:
    world, _ = await prepared()
    assert await cached(world) == "miss"
    assert await cached(world, **asked) == "miss"


async def test_one_document_by_itself_is_another_answer() -> None:
    world, id = await prepared()
    assert [await cached(world), await cached(world, documentId=id)] == ["miss", "miss"]
    assert await cached(world, documentId=id) == "hit"


async def test_an_upload_has_it_answered_anew() -> None:
    world, _ = await prepared()
    assert [await cached(world), await cached(world)] == ["miss", "hit"]
    await world.put(PIES, "pies.md")
    assert await cached(world) == "miss"
    assert len(world.chats) == 2


@pytest.mark.parametrize("more", [MODEL, ""])
async def test_nothing_of_a_deleted_document_is_answered(more: str) -> None:
    world, id = await prepared(more=more)
    await world.answer()
    assert (await world.answer())["cached"] is True
    assert (await world.delete(id)).status == 204
    told = await world.answer()
    assert (told["answer"], told["sources"]) == (NOT_FOUND, [])
    assert (await world.query(documentId=id)).status == 404
    assert (await world.put()).status == 201
    assert "cached" not in await world.answer()


async def test_what_is_shared_no_more_is_answered_to_nobody() -> None:
    world = Asking()
    editor = world.token("ed", tenant="acme", scope="rag rag:share")
    put = await body(await world.put(shared=True, token=editor))
    ann = world.token("ann", tenant="acme")
    assert [await cached(world, token=ann), await cached(world, token=ann)] == ["miss", "hit"]
    await world.delete(put["documentId"], token=editor)
    assert (await world.answer(token=ann))["sources"] == []


async def test_a_caller_may_leave_the_cache_out() -> None:
    world, _ = await prepared()
    none, anew = ([("cache-control", value)] for value in ("no-store", "no-cache"))
    assert await cached(world, headers=none) == "bypass"
    assert await cached(world) == "miss"
    assert await cached(world, headers=anew) == "bypass"
    assert await cached(world) == "hit"
    assert len(world.chats) == 3
    other = "Jupiter's moons?"
    assert await cached(world, question=other, headers=none) == "bypass"
    assert await cached(world, question=other, headers=anew) == "bypass"
    assert await cached(world, question=other) == "hit"


PURGES = ["", "kind=rag", "owner=alice", "route="]


@pytest.mark.parametrize("query", PURGES)
async def test_a_purge_reaches_it(query: str) -> None:
    world, _ = await prepared()
    admin = world.token(role="admin")
    assert [await cached(world), await cached(world)] == ["miss", "hit"]
    if query == "route=":
        # On Workers the route is the medium target's own.
        query += "auto" if world.platform.shared_loop else "two/gpt-4o-mini"
    purged = await world.ask("/admin/cache", method="DELETE", query=query, token=admin)
    assert purged.status == 200
    assert await cached(world) == "miss"
    await world.gateway.journal.flush()
    shown = await body(await world.get("/admin/cache", token=admin))
    assert {"kind": "rag", "hits": 1, "misses": 2} in shown["kinds"]


async def test_a_purge_of_chats_leaves_it() -> None:
    world, _ = await prepared()
    await cached(world)
    admin = world.token(role="admin")
    await world.ask("/admin/cache", method="DELETE", query="kind=chat", token=admin)
    assert await cached(world) == "hit"


async def test_a_route_that_shares_its_chats_does_not_share_these() -> None:
    more = MODEL + "cache = { shared = true }\n"
    world, _ = await prepared(more=more)
    bob = world.token("bob")
    await world.put(token=bob)
    assert [await cached(world), await cached(world, token=bob)] == ["miss", "miss"]


async def test_of_equal_questions_at_once_one_is_bought() -> None:
    world, _ = await prepared()
    replies = await asyncio.gather(*(world.query() for _ in range(20)))
    assert {(await body(one))["answer"] for one in replies} == {SAYS}
    assert len(world.chats) == 1


async def test_what_words_found_while_the_model_was_away_is_not_kept() -> None:
    world, _ = await prepared(dense=True)
    world.fails = [Response(401, [], b"{}")]
    assert (await world.answer())["lexicalOnly"] is True
    world.fails = []
    told = await world.answer()
    assert told["lexicalOnly"] is False


class Older(MemoryStore):
    """What an older version kept, under whatever key."""

    async def get(self, key: str) -> bytes | None:
        return b"\x93" if key.startswith("rag:") else await super().get(key)


async def test_what_another_version_kept_is_not_used() -> None:
    world, _ = await prepared()
    await world.answer()
    world.on(store=Older(world.platform.clock))
    assert await cached(world) == "miss"
    assert WALRUS.splitlines()[2] in world.chats[-1]["messages"][1]["content"]
    assert len(world.chats) == 2


async def test_what_stands_in_documents_is_not_kept_of_the_question_nor_asked_again() -> None:
    shadow = 'shadow = { share = 1.0, money = "1.00", judge = "two/gpt-4o" }\n'
    agreed = '[tenants.default]\ntexts = "all"\n'
    world, _ = await prepared(more=MODEL + shadow + agreed)
    await world.answer()
    await read(await world.chat("say hello"))
    for _ in range(1_000):
        await asyncio.sleep(0)
    assert not world.gateway.lasting.behind.running
    await world.gateway.journal.flush()
    [kept] = await world.platform.tables.rows("select messages from prompts")
    assert "say hello" in kept[0]
    assert sum("BEGIN" in json.dumps(one) for one in world.chats) == 1
