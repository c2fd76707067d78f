"""What requests of one isolate share on Workers, where each has a gateway of its own and may be killed before it gave back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from penstock.errors import Unavailable
from penstock.gateway import Gateway, build
from penstock.gateway.admin import own_metrics
from penstock.gateway.air import PERIOD_SECONDS
from penstock.gateway.bodies import SMALL
from penstock.ledger import claims
from penstock.platforms.memory.world import Background
from penstock.ports import Row, Statement, Tables
from penstock.wire.http import Request, Response
from tests.path import test_deployments as deployed
from tests.path.services import Served
from tests.path.world import Script, World, pieces, read, streamed, whole

WAIT_UNTIL_SECONDS = 30.0
TWO = """
[services.orders]
prefixes = ["/api/orders"]
limit = "100000/h"
balance = "least"
backends = [{ url = "http://one.test" }, { url = "http://two.test" }]
"""


class Isolate:
    """Gateways as a Worker makes them: one a request, of what outlives it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._platform: Any = replace(world.platform, shared_loop=False)
        self._first = build(world.gateway.config, self._platform, world.gateway.report)

    def request(self, **other: Any) -> Gateway:
        platform = replace(self._platform, spawn=Background(), **other)
        made = build(self._first.config, platform, self._first.report, before=self._first)
        self.world.gateway = made
        return made


class Arriving:
    """A body that comes in pieces."""

    def __init__(self, data: bytes) -> None:
        self._left = [data]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()

    async def aclose(self) -> None:
        self._left.clear()


async def test_old_claims_are_swept_once_a_minute_whoever_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    isolate = Isolate(world)
    sweeps = []

    async def counted(*_: Any) -> int:
        sweeps.append(world.platform.clock.now())
        return 0

    monkeypatch.setattr(claims, "sweep", counted)
    for number in range(6):
        background = isolate.request().platform.spawn
        assert (await world.chat(headers=[("idempotency-key", f"k{number}")])).status == 200
        assert isinstance(background, Background)
        await world.platform.clock.run(20.0)
        await background.join()
    assert len(sweeps) == 2


class Away:
    """Tables that can be read, and written while nothing is written that begins so."""

    def __init__(self, tables: Tables, start: str) -> None:
        self.tables, self.start = tables, start
        self.rows = tables.rows
        self.up = False

    async def batch(self, *statements: Statement) -> Sequence[Sequence[Row]]:
        if not self.up and any(self.start in sql for sql, _ in statements):
            raise Unavailable
        return await self.tables.batch(*statements)


async def asked(isolate: Isolate, away: Away) -> Background:
    """One chat whose request is over; what it left is still on its way."""
    gateway = isolate.request(tables=away)
    assert (await isolate.world.chat()).status == 200
    await gateway.journal.release()
    assert isinstance(gateway.platform.spawn, Background)
    return gateway.platform.spawn


async def test_rows_that_a_request_could_not_write_are_tried_again() -> None:
    world = World()
    isolate = Isolate(world)
    away = Away(world.platform.tables, "into decisions")
    background = await asked(isolate, away)
    await world.platform.clock.run(3.0)
    away.up = True
    await world.platform.clock.run(30.0)
    await background.join()
    assert len(await world.platform.tables.rows("select request_id from decisions")) == 1
    assert "penstock_journal_dropped_rows_total 0" in own_metrics(isolate.request())


async def test_rows_that_are_lost_are_counted_and_told(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    isolate = Isolate(world)
    background = await asked(isolate, Away(world.platform.tables, "into decisions"))
    await world.platform.clock.run(WAIT_UNTIL_SECONDS)
    await asyncio.wait_for(background.join(), 10)
    [dropped] = [
        int(line.split()[1])
        for line in own_metrics(isolate.request()).splitlines()
        if line.startswith("penstock_journal_dropped_rows_total")
    ]
    assert dropped == 2  # the decision, and the count of the miss
    assert "2 rows of the journal are lost" in caplog.text


async def test_what_the_books_do_not_take_is_the_reconcilers_before_the_isolate_ends_it() -> None:
    world = World()
    isolate = Isolate(world)
    background = await asked(isolate, Away(world.platform.tables, "'final'"))
    assert background.running
    await world.platform.clock.run(WAIT_UNTIL_SECONDS)
    assert not background.running


async def large(world: World, size: int) -> int:
    body = {"model": "auto", "messages": [{"role": "user", "content": "x" * size}]}
    data = json.dumps(body).encode()
    token = ("authorization", f"Bearer {world.token()}")
    path = "/v1/chat/completions"
    headers = [token, ("content-length", str(len(data)))]
    request = Request("POST", path.encode(), path, "", headers, "192.0.2.1", Arriving(data))
    return (await world.gateway(request)).status


async def test_room_that_a_killed_request_held_is_found_again() -> None:
    world = World()
    isolate = Isolate(world)
    bodies = isolate.request().lasting.bodies
    bodies.take(bodies.most)
    isolate.request()
    assert await large(world, 2 * SMALL) == 503
    world.platform.clock.advance(PERIOD_SECONDS)
    isolate.request()
    assert await large(world, 2 * SMALL) == 503  # whoever holds it may still run
    world.platform.clock.advance(PERIOD_SECONDS)
    isolate.request()
    assert await large(world, 2 * SMALL) == 200


async def test_who_gives_back_late_gives_back_nothing_of_others() -> None:
    isolate = Isolate(world := World())
    early = isolate.request().lasting.bodies
    room = early.take(2 * SMALL)
    world.platform.clock.advance(PERIOD_SECONDS)
    late = isolate.request().lasting.bodies
    assert late.held == room
    late.take(3 * SMALL)
    early.give(room)
    assert late.held == 3 * SMALL


async def test_retries_that_were_killed_forbid_none_for_ever() -> None:
    isolate = Isolate(world := World())
    isolate.request().lasting.retries.retries += 1
    assert not isolate.request().upstream.budget.may_retry()
    world.platform.clock.advance(PERIOD_SECONDS)
    assert isolate.request().upstream.budget.may_retry()


async def test_a_backend_is_not_avoided_for_what_was_killed_there() -> None:
    world = Served(TWO)
    isolate = Isolate(world)
    [(_, pool)] = [*isolate.request().lasting.pools.items()]
    pool.members[0].in_air += 5
    pool.retries.retries += 1
    await world.get("/api/orders")
    assert world.counts == {"two.test": 1}
    world.platform.clock.advance(PERIOD_SECONDS)
    isolate.request()
    for _ in range(4):
        await world.get("/api/orders")
    assert world.counts == {"one.test": 2, "two.test": 3}
    assert [member.in_air for member in pool.members] == [0, 0]
    assert pool.retries.may_retry()


async def test_a_reply_that_ends_in_another_period_is_not_counted_below_nothing() -> None:
    world = Served(TWO)
    isolate = Isolate(world)
    [(_, pool)] = [*isolate.request().lasting.pools.items()]
    for name in ("one.test", "two.test"):
        world.backends[name] = lambda _: Response(200, [], Script([b"x"]))
    open = await world.get("/api/orders")
    assert sum(member.in_air for member in pool.members) == 1
    world.platform.clock.advance(PERIOD_SECONDS)
    isolate.request()
    await open.aclose()
    assert [member.in_air for member in pool.members] == [0, 0]


async def test_nor_is_a_deployment() -> None:
    world = deployed.made(lambda request: whole("hi"))
    isolate = Isolate(world)
    isolate.request()
    members = [one.member for one in deployed.deployments(world).each]
    members[0].in_air += 5
    assert (await deployed.ask(world)).status == 200
    assert deployed.hosts(world) == ["b"]
    world.platform.clock.advance(PERIOD_SECONDS)
    isolate.request()
    for _ in range(4):
        await deployed.ask(world)
    assert sorted(deployed.hosts(world)) == ["a", "a", "b", "b", "b"]
    assert [member.in_air for member in members] == [0, 0]


async def test_and_an_answer_that_ends_in_another_period_is_not_counted_below_nothing() -> None:
    world = deployed.made(lambda request: streamed(pieces("a", "b")))
    isolate = Isolate(world)
    isolate.request()
    members = [one.member for one in deployed.deployments(world).each]
    open = await deployed.ask(world, stream=True)
    assert sum(member.in_air for member in members) == 1
    world.platform.clock.advance(PERIOD_SECONDS)
    isolate.request()
    assert sum(member.in_air for member in members) == 0
    await read(open)
    assert [member.in_air for member in members] == [0, 0]
