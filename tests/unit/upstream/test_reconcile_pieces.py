"""The reconciler where a platform bears only so many questions in one go: bounded, and nothing done twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from penstock.errors import Failed, Unavailable
from penstock.platforms import memory
from penstock.platforms.memory import MemoryPlatform
from penstock.ports import Row, Statement, Value
from penstock.upstream.reconcile import Reconciler, in_pieces
from penstock.wire.http import Request, Response
from tests.unit.limits.test_hold import USED, rows
from tests.unit.upstream.test_reconcile import LEASE, LOOKED_UP, Books, crashed

FREE = 50


class Platform:
    """Tables and a fetch that refuse the question after `most` of one go."""

    def __init__(self, world: MemoryPlatform, most: int) -> None:
        self._world = world
        self.most = most
        self.asked = 0

    def _count(self, number: int = 1) -> None:
        self.asked += number
        if self.asked > self.most:
            raise Unavailable

    async def rows(self, sql: str, *args: Value) -> Sequence[Row]:
        self._count()
        return await self._world.tables.rows(sql, *args)

    async def batch(self, *statements: Statement) -> Sequence[Sequence[Row]]:
        self._count(len(statements))
        return await self._world.tables.batch(*statements)

    async def fetch(self, request: Request) -> Response:
        try:
            self._count()
        except Unavailable:
            raise Failed from None
        return await self._world.fetch(request)


class Cron:
    """Goes of a Cron Trigger, each on a platform of its own, from where the last one left off."""

    def __init__(self, world: MemoryPlatform, most: int = FREE) -> None:
        self._world = world
        self._most = most
        self._progress: Any = None
        self.asked: list[int] = []

    async def go(self, pieces: int = 1) -> None:
        platform = Platform(self._world, self._most)
        reconciler = Reconciler(
            platform, platform.fetch, self._world.clock, LOOKED_UP, self._progress
        )

        async def keep() -> None:
            self._progress = reconciler.progress
            platform._count()

        try:
            await in_pieces(reconciler, FREE - 10, pieces, keep)
        finally:
            self.asked.append(platform.asked)


async def expired(number: int) -> tuple[MemoryPlatform, Books]:
    books = Books({f"req_{at}.1": USED for at in range(number)})
    world = memory.platform(books)
    for at in range(number):
        await crashed(world, at)
    world.clock.advance(LEASE)
    return world, books


async def estimated(number: int) -> tuple[MemoryPlatform, Books]:
    books = Books({f"req_{at}.1": USED for at in range(number)})
    world = memory.platform(books)
    for at in range(number):
        await (await crashed(world, at)).close()
        world.clock.advance(10)
    return world, books


async def settled(world: MemoryPlatform, kind: str) -> int:
    return sum(row[1] == kind for row in await rows(world))


async def test_holds_are_ended_a_few_at_a_time_and_each_once() -> None:
    world, books = await expired(30)
    cron = Cron(world)
    while await settled(world, "final") < 30:
        before = await settled(world, "final")
        await cron.go()
        assert await settled(world, "final") > before
    assert max(cron.asked) <= FREE
    assert len(books.asked) == 30


async def test_estimates_are_corrected_a_few_at_a_time_and_each_once() -> None:
    world, books = await estimated(30)
    cron = Cron(world)
    while await settled(world, "correction") < 30:
        before = await settled(world, "correction")
        await cron.go()
        assert await settled(world, "correction") > before
    assert max(cron.asked) <= FREE
    assert len(books.asked) == 30


async def test_estimates_that_nobody_can_tell_yet_are_asked_for_in_turn() -> None:
    world, books = await estimated(20)
    books.said = {f"req_{at}.1": b'{"usage": null}' for at in range(20)}
    cron = Cron(world)
    while len(books.asked) < 20:
        await cron.go()
    asked = [request.target.decode().rpartition("/")[2] for request in books.asked]
    assert asked[:20] == [f"req_{at}.1" for at in range(20)]


@pytest.mark.parametrize("made", [expired, estimated])
async def test_more_is_done_where_the_platform_bears_more(made: Any) -> None:
    world, books = await made(30)
    cron = Cron(world, 1_000)
    await cron.go(pieces=20)
    assert len(books.asked) == 30


async def test_what_it_does_not_bear_is_the_next_ones_and_no_failure() -> None:
    world, books = await expired(30)
    cron = Cron(world)
    for _ in range(30):
        await cron.go(pieces=20)
        if await settled(world, "final") == 30:
            break
    ended = [row[2] for row in await rows(world) if row[1] == "final"]
    assert len(ended) == 30
    assert 30 <= len(books.asked) <= 60  # one that was refused before its end is asked for again


async def test_tables_out_of_reach_are_told() -> None:
    world, _ = await expired(1)
    with pytest.raises(Unavailable):
        await Cron(world, 0).go()
