"""What a document that failed leaves: its reason, and what it cost, but nothing that is found or kept."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from penstock.errors import BadRequest, Unavailable
from penstock.gateway import build
from penstock.platforms.memory.index import MemoryIndex, MemoryPlace
from penstock.platforms.memory.world import Background
from tests.path.documents import BY_WORDS, DIMENSION, LONG, MODEL, Documents, Halting
from tests.path.test_documents_work import BUDGET, LEASE, the_one
from tests.path.world import body


async def test_out_of_budget_in_the_middle_nothing_is_left_and_what_was_bought_is_charged() -> None:
    world = Documents(BUDGET.replace("0.000001", "0.002"), dense=True)
    world.tokens = 1_000
    response = await world.put(LONG, token=world.token(tier="pro"))
    told = await body(response)
    assert (response.status, told["code"]) == (429, "insufficient_quota")
    assert len(world.platform.fetch.requests) == 1
    assert await world.counts() == {"entries": 0, "documents": 1, "passages": 0}
    rows = await world.ledger("stage, ended, amount_nanos")
    assert [row[2] for row in rows if row[1] == "settled"] == [1_000_000]


class Refusing(Halting):
    """Once it is let go, it takes nothing."""

    async def upsert(self, entries: Any) -> None:
        self.reached.set()
        await self.go.wait()
        raise BadRequest("These entries are too large.")


async def test_whoever_lost_a_document_and_then_fails_takes_nothing_from_the_index() -> None:
    world = Documents()
    halting = Refusing(world.index)
    sent = await world.halted(halting)
    world.mortal.dead = True  # its lease ends, for it cannot be renewed
    await world.platform.clock.run(LEASE + 1)
    await asyncio.gather(sent, return_exceptions=True)
    stalled, spawn = world.platform.spawn, Background()
    world.on(index=world.index, tables=world.stores, spawn=spawn)
    await world.upkeep()
    assert (await the_one(world))["status"] == "ready"
    world.mortal.dead = False
    halting.go.set()
    await stalled.join()
    told = await the_one(world)
    assert told["status"] == "ready"
    assert (await world.counts())["entries"] == told["chunks"]


class Clinging:
    """Blobs of which none can be deleted for now."""

    def __init__(self, blobs: Any) -> None:
        self._blobs = blobs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._blobs, name)

    async def delete(self, key: str) -> None:
        raise Unavailable("The store is out of reach.")


async def test_what_is_left_of_a_failed_one_goes_when_it_is_sent_again() -> None:
    world = Documents()
    blobs = world.platform.blobs
    world.on(blobs=Clinging(blobs))
    first = (await body(await world.send(b"\0\0\0", "x.txt")))["documentId"]
    assert await blobs.get(f"documents/{first}/0") is not None
    world.on(blobs=blobs)
    await world.settled()
    assert (await world.send(b"\0\0\0", "x.txt")).status == 422
    await world.upkeep()
    assert await blobs.get(f"documents/{first}/0") is None
    assert await world.states() == ["failed"]


@pytest.mark.skipif(not BY_WORDS, reason="the edge has one index for one model")
@pytest.mark.parametrize("at", [2, 3])
async def test_one_that_was_begun_for_another_model_is_begun_anew(at: int) -> None:
    world, dense = Documents(), Documents(dense=True)
    place: MemoryPlace = {}
    world.index = MemoryIndex(place=place)
    await world.killed(await world.halted(Halting(world.index, at)))
    world.index = MemoryIndex(MODEL, DIMENSION, place=place)
    world.platform = replace(world.platform, index=world.index, fetch=dense.platform.fetch)
    world.gateway = build(dense.gateway.config, world.platform, lambda _, error: None)
    world.platform.clock.advance(LEASE + 1)
    await world.upkeep()
    told = await the_one(world)
    assert (told["status"], told["done"]) == ("ready", told["chunks"])
    counts = await world.counts()
    assert counts == {"entries": told["chunks"], "documents": 1, "passages": told["chunks"]}
