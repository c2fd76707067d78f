"""Documents where each request has a gateway of its own, as on Workers: work goes on behind the reply, in pieces."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from penstock.gateway import build
from penstock.gateway.ingest import BATCH, PIECE_BATCHES, SETTLING_TRIES
from penstock.gateway.upkeep import upkeep
from penstock.platforms.memory.index import MemoryIndex
from penstock.platforms.memory.world import Background
from penstock.ports import About
from tests.path.documents import DIMENSION, DOCUMENTS, LONG, MODEL, Documents
from tests.path.world import body

PIECE = BATCH * PIECE_BATCHES
VERY_LONG = "\n\n".join(f"{n}. {LONG[:40_000]}" for n in range(16))


class Isolate(Documents):
    """Every request by a gateway of its own, whose background is its own."""

    def __init__(self, index: Any = None) -> None:
        super().__init__("[tiers.pro]\ndocument_bytes = 5_000_000\n", dense=True)
        self.index = index or self.index
        self._config = self.gateway.config
        self.on(index=self.index, shared_loop=False)
        self._first = self.gateway
        self.next()

    def next(self) -> None:
        """The next request's gateway."""
        self.platform = replace(self.platform, spawn=Background())
        report = self.gateway.report
        self.gateway = build(self._config, self.platform, report, before=self._first)

    async def cron(self) -> None:
        self.next()
        await upkeep(self.gateway)
        await self.platform.spawn.join()


async def test_a_short_one_is_ready_with_the_reply() -> None:
    world = Isolate()
    assert (await world.put()).status == 201
    world.next()
    assert await world.found("walrus") == ["animals.md"]
    ((rows,),) = await world.platform.tables.rows("select count(*) from decisions")
    assert rows >= 1


async def test_a_long_one_is_made_in_pieces_by_whoever_comes() -> None:
    world = Isolate()
    token = world.token(tier="pro")
    sent = await world.put(VERY_LONG, "long.txt", token=token)
    told = await body(sent)
    assert (sent.status, told["status"]) == (202, "embedding")
    state = await world.document(told["documentId"])
    assert state["done"] == PIECE < state["chunks"]
    assert await world.found("walrus") == []
    passes = 0
    while (await world.document(told["documentId"]))["status"] != "ready":
        await world.cron()
        passes += 1
        assert passes < 20
    counts = await world.counts()
    assert counts["entries"] == counts["passages"] == state["chunks"]
    assert passes > 1


class Slow(MemoryIndex):
    """Takes what is written in later, as Vectorize does."""

    def __init__(self, looks: int) -> None:
        super().__init__(MODEL, DIMENSION)
        self._looks = looks

    async def describe(self) -> About:
        about = await super().describe()
        self._looks -= 1
        return about if self._looks < 0 else About(about.model, about.dimension, 0, settled=0.0)


async def test_it_is_ready_only_once_the_index_finds_it() -> None:
    world = Isolate(Slow(SETTLING_TRIES + 2))
    sending = asyncio.create_task(world.put())
    await world.platform.clock.run(11)
    assert (await sending).status == 202
    [told] = (await body(await world.get(DOCUMENTS)))["documents"]
    assert (told["status"], told["done"]) == ("embedding", told["chunks"])
    world.next()
    again = asyncio.create_task(world.cron())
    await world.platform.clock.run(4)
    await again
    assert (await world.document(told["documentId"]))["status"] == "ready"
