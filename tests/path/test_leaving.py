"""Who asked first leaves first: what was bought is theirs all the same, and their record says what it cost."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from penstock.errors import Broken, Unavailable
from penstock.wire.http import Response
from tests.path.world import Script, World, pieces, read, text_of

PRICE = (10 * 150_000_000 + 5 * 600_000_000) // 10**6


class Gated(Script):
    """A stream that waits before its third part until the test opens it."""

    def __init__(self, gate: asyncio.Event) -> None:
        super().__init__(pieces("Hel", "lo"))
        self.gate = gate

    async def __anext__(self) -> bytes:
        if self.read == 2:
            await self.gate.wait()
        return await super().__anext__()


def gated(gate: asyncio.Event) -> World:
    return World(
        lambda request: Response(200, [("content-type", "text/event-stream")], Gated(gate))
    )


async def records(world: World) -> list[dict[str, Any]]:
    await world.gateway.journal.flush()
    rows = await world.platform.tables.rows("select record from decisions order by request_id")
    return [json.loads(row[0]) for row in rows]


async def test_the_record_waits_for_the_cost_where_others_read_on() -> None:
    gate = asyncio.Event()
    world = gated(gate)
    first = await world.chat(stream=True)
    second = await world.chat(stream=True)
    assert second.header("x-penstock-cache") == "hit"
    world.platform.clock.advance(1.0)
    await first.aclose()
    await first.aclose()
    assert await records(world) == []
    world.platform.clock.advance(2.0)
    gate.set()
    assert text_of(await read(second)) == "Hello"
    leader, follower = await records(world)
    assert (leader["cost_nanos"], leader["cache"], leader["total_us"]) == (PRICE, "miss", 1_000_000)
    assert leader["reserved_nanos"] > PRICE
    assert leader["stream"] is follower["stream"] is True
    assert (follower.get("cost_nanos", 0), follower["cache"]) == (0, "hit")
    assert follower["total_us"] == 3_000_000


async def test_and_where_the_last_of_them_leaves_before_the_end() -> None:
    gate = asyncio.Event()
    world = gated(gate)
    first, second = await world.chat(stream=True), await world.chat(stream=True)
    await first.aclose()
    await second.aclose()
    leader, _ = await records(world)
    (cost,) = [amount for _, ended, amount in await world.ledger() if ended == "estimated"]
    assert leader["cost_nanos"] == cost > PRICE


async def test_one_that_was_cut_off_while_it_pulled_for_all() -> None:
    gate = asyncio.Event()
    world = gated(gate)
    first, second = await world.chat(stream=True), await world.chat(stream=True)
    pulling = asyncio.create_task(read(first))
    await world.platform.clock.run(0)
    pulling.cancel()
    await asyncio.wait([pulling])
    assert await records(world) == []
    gate.set()
    assert text_of(await read(second)) == "Hello"
    leader, _ = await records(world)
    assert (leader["cost_nanos"], leader["cache"]) == (PRICE, "miss")


async def test_while_the_books_are_out_of_reach_the_record_waits_too(monkeypatch) -> None:
    world = World(lambda request: Response(200, [], Script(pieces("Hel", "lo"))))
    response = await world.chat(stream=True)
    tables = world.platform.tables
    works = tables.batch

    async def down(*statements: Any) -> Any:
        raise Unavailable

    monkeypatch.setattr(tables, "batch", down)
    assert text_of(await read(response)) == "Hello"
    monkeypatch.setattr(tables, "batch", works)
    assert await records(world) == []
    await world.platform.clock.run(5.0)
    (leader,) = await records(world)
    assert leader["cost_nanos"] == PRICE


async def test_a_record_whose_cost_is_never_known_is_written_at_last(monkeypatch) -> None:
    world = World(lambda request: Response(200, [], Script(pieces("Hel", "lo"))))
    response = await world.chat(stream=True)
    tables = world.platform.tables
    works = tables.batch

    async def down(*statements: Any) -> Any:
        raise Unavailable

    monkeypatch.setattr(tables, "batch", down)
    await read(response)
    await world.platform.clock.run(100.0)
    monkeypatch.setattr(tables, "batch", works)
    (leader,) = await records(world)
    assert "cost_nanos" not in leader


async def test_who_leaves_a_failed_call_while_it_ends_leaves_its_record(monkeypatch) -> None:
    def fails(request: Any) -> Response:
        raise Broken

    world = World(fails)
    tables = world.platform.tables
    works, ending = tables.batch, asyncio.Event()

    async def slowly(*statements: Any) -> Any:
        if any("'final'" in sql for sql, _ in statements) and not ending.is_set():
            ending.set()
            await asyncio.Event().wait()
        return await works(*statements)

    monkeypatch.setattr(tables, "batch", slowly)
    asked = asyncio.create_task(world.chat())
    await ending.wait()
    asked.cancel()
    await asyncio.wait([asked])
    assert asked.cancelled()
    (record,) = await records(world)
    ((_, _, cost),) = [row for row in await world.ledger() if row[1] == "estimated"]
    assert (record["error"], record["cost_nanos"]) == ("upstream_broken", cost)
