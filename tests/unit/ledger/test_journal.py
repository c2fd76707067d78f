"""The journal: everything within a second, in groups, bounded where the tables are out of reach."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from penstock.errors import Unavailable
from penstock.ledger import journal as module
from penstock.ledger.decisions import Decision, explain, row
from penstock.ledger.journal import Journal
from penstock.platforms import memory
from penstock.platforms.memory import MemoryPlatform
from penstock.ports import Statement, Tables

DAY = 1_795_392_000_000


def decided(number: int, owner: str = "default/u") -> Statement:
    return row(Decision(f"req_{number}", "chat", reason="simple"), 1_000, owner)


def make(platform: MemoryPlatform, tables: Tables | None = None) -> Journal:
    return Journal(tables or platform.tables, platform.clock, platform.spawn)


async def count(platform: MemoryPlatform) -> int:
    return int((await platform.tables.rows("select count(*) from decisions"))[0][0])


async def test_rows_stand_within_a_second_and_not_before() -> None:
    platform = memory.platform()
    journal = make(platform)
    journal.add(decided(1))
    journal.add(decided(2))
    assert await count(platform) == 0
    await platform.clock.run(1)
    assert await count(platform) == 2
    journal.add(decided(3))
    await platform.clock.run(1)
    assert await count(platform) == 3
    await platform.spawn.join()


async def test_one_of_a_request_writes_nothing_until_its_release_and_then_as_any() -> None:
    platform = memory.platform()
    lost: list[int] = []
    journal = Journal(platform.tables, platform.clock, platform.spawn, lost.append)
    journal.add(decided(1))
    journal.count(DAY, "chat", hit=True)
    await platform.clock.run(60)
    assert await count(platform) == 0
    await journal.release()
    assert await count(platform) == 1
    journal.add(decided(2))
    await platform.clock.run(1)
    assert await count(platform) == 2
    assert not lost
    await platform.spawn.join()


async def test_hits_and_misses_add_up() -> None:
    platform = memory.platform()
    journal = make(platform)
    for hit in (True, True, False):
        journal.count(DAY, "chat", hit=hit)
    await journal.flush()
    journal.count(DAY, "chat", hit=True, number=10)
    await journal.flush()
    assert [
        tuple(row)
        for row in await platform.tables.rows("select kind, hits, misses from cache_counts")
    ] == [("chat", 12, 1)]
    await platform.spawn.cancel()


class Down:
    """Tables that are out of reach until `up`."""

    def __init__(self, tables: Tables) -> None:
        self.tables, self.up = tables, False

    async def rows(self, sql: str, *args: object) -> object:
        raise Unavailable

    async def batch(self, *statements: Statement) -> object:
        if not self.up:
            raise Unavailable
        return await self.tables.batch(*statements)


async def test_rows_wait_for_tables_that_are_down_within_their_bound(monkeypatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 5)
    platform = memory.platform()
    down = Down(platform.tables)
    journal = make(platform, down)  # type: ignore[arg-type]  # what a journal asks of tables, it has
    for number in range(8):
        journal.add(decided(number))
    await journal.flush()
    assert journal.dropped == 3
    down.up = True
    await journal.flush()
    assert await count(platform) == 5
    await platform.spawn.cancel()


async def test_explain_tells_a_request_to_its_owner_and_to_nobody_else() -> None:
    platform = memory.platform()
    await platform.tables.batch(decided(1))
    mine = await explain(platform.tables, "req_1", "default/u")
    assert mine is not None
    assert mine["decision"]["reason"] == "simple"
    assert await explain(platform.tables, "req_1", "default/other") is None
    assert await explain(platform.tables, "req_1") is not None
    assert await explain(platform.tables, "req_2") is None


async def test_who_asks_for_the_rows_and_leaves_takes_none_with_them(monkeypatch) -> None:
    monkeypatch.setattr(module, "GROUP", 2)
    platform = memory.platform()
    begun, go = asyncio.Event(), asyncio.Event()

    class Slow(Down):
        async def batch(self, *statements: Statement) -> object:
            begun.set()
            # What was handed over is written, whoever waits for it.
            written = await self.tables.batch(*statements)
            await go.wait()
            return written

    journal = make(platform, Slow(platform.tables))  # type: ignore[arg-type]  # a stand-in
    for number in range(5):
        journal.add(decided(number))
    asking = asyncio.create_task(journal.flush())
    await begun.wait()
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    go.set()
    await platform.clock.run(2)
    assert await count(platform) == 5
    await platform.spawn.join()


async def test_rows_that_stand_already_hold_up_no_others() -> None:
    platform = memory.platform()

    class Unheard(Down):
        """Writes, and is cut off before it says so, until it is up."""

        async def batch(self, *statements: Statement) -> object:
            written = await self.tables.batch(*statements)
            if not self.up:
                raise Unavailable
            return written

    tables = Unheard(platform.tables)
    journal = make(platform, tables)  # type: ignore[arg-type]  # a stand-in
    journal.add(decided(1))
    journal.add(decided(2))
    await journal.flush()
    journal.add(decided(3))
    tables.up = True
    await journal.flush()
    assert (await count(platform), journal.dropped) == (3, 0)
    journal.add(decided(4))
    await journal.flush()
    assert await count(platform) == 4
    await platform.spawn.cancel()
