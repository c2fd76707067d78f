"""A stream whose callers have all left: cancelled, drained or not billed, as its provider's settings say."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from penstock.errors import Broken, Unavailable
from penstock.gateway import drains
from penstock.wire.http import Response
from tests.path.world import CONFIG, Script, World, pieces, read, text_of

PRICE = (10 * 150_000_000 + 5 * 600_000_000) // 10**6
PARTS = pieces("one ", "two ", "three ", "four")
USAGE = len(PARTS) - 2
LEAVES = [0, 1, 3, USAGE]
"""Pieces read before the caller goes: none, the first byte, half of it, all but the usage."""
DRAIN = 'on_disconnect = "drain"'


class Gated(Script):
    """A stream that waits before its usage until the test opens it."""

    def __init__(self, at: int) -> None:
        super().__init__(PARTS)
        self.at = at
        self.gate = asyncio.Event()

    async def __anext__(self) -> bytes:
        if self.read == self.at:
            await self.gate.wait()
        return await super().__anext__()


class Left(World):
    """A world whose upstream waits before a part; `settings` are its provider's."""

    def __init__(self, settings: str = "", at: int = USAGE) -> None:
        self.scripts: list[Gated] = []

        def answer(request: Any) -> Response:
            self.scripts.append(Gated(at))
            return Response(200, [("content-type", "text/event-stream")], self.scripts[-1])

        key = 'api_key = "sk-cheap"'
        super().__init__(answer, CONFIG.replace(key, f"{key}\n{settings}"), {})

    async def leave_after(self, count: int, text: str = "hello") -> Response:
        """Asks, reads so many pieces, waits for the next, and is gone as the entry would see it."""
        response = await self.chat(text, stream=True)
        assert not isinstance(response.body, bytes)
        for _ in range(count):
            await anext(response.body)
        if count == USAGE:
            waiting = asyncio.ensure_future(anext(response.body))
            await self.turn()
            waiting.cancel()
            await asyncio.wait([waiting])
        await response.aclose()
        return response

    async def turn(self, seconds: float = 0) -> None:
        await self.platform.clock.run(seconds)

    def now(self) -> int:
        return int(self.platform.clock.now() * 1000)

    async def finals(self) -> list[tuple[str, int, int]]:
        """How each that was bought ended, for how much, and when."""
        rows = await self.ledger("stage, cache, ended, amount_nanos, at")
        return [(row[2], row[3], row[4]) for row in rows if row[:2] == ("final", "")]


@pytest.mark.parametrize("count", LEAVES)
async def test_by_default_it_is_cancelled_at_once_and_charged_at_the_most(count: int) -> None:
    world = Left()
    await world.leave_after(count)
    assert world.scripts[0].closed
    ((ended, amount, at),) = await world.finals()
    assert (ended, at) == ("estimated", world.now())
    assert amount > PRICE


@pytest.mark.parametrize("count", LEAVES)
async def test_a_drained_one_is_settled_by_what_was_reported(count: int) -> None:
    world = Left(DRAIN)
    await world.leave_after(count)
    await world.turn(20)
    assert not world.scripts[0].closed
    assert await world.finals() == []
    world.scripts[0].gate.set()
    await world.turn()
    assert world.scripts[0].closed
    assert await world.finals() == [("settled", PRICE, world.now())]
    again = await world.chat(stream=True)
    assert again.header("x-penstock-cache") == "hit"
    await again.aclose()


@pytest.mark.parametrize("count", LEAVES)
async def test_one_that_the_provider_does_not_bill_costs_nothing_and_says_that_it_is_a_guess(
    count: int,
) -> None:
    world = Left('on_disconnect = "none"')
    await world.leave_after(count)
    assert world.scripts[0].closed
    assert await world.finals() == [("estimated", 0, world.now())]


async def test_whose_end_was_reported_is_settled_whatever_the_policy() -> None:
    for policy in ("cancel", "drain", "none"):
        world = Left(f'on_disconnect = "{policy}"', at=99)
        await read(await world.chat(stream=True))
        assert await world.finals() == [("settled", PRICE, world.now())]


async def test_an_answer_that_the_provider_broke_off_is_billed_although_cancels_are_not() -> None:
    world = Left('on_disconnect = "none"', at=99)
    parts: list[bytes | BaseException] = [*PARTS[:3], Broken("gone")]
    world.platform.fetch.handler = lambda request: Response(
        200, [("content-type", "text/event-stream")], Script(parts)
    )
    await read(await world.chat(stream=True))
    ((ended, amount, _),) = await world.finals()
    assert ended == "estimated"
    assert amount > PRICE


async def test_a_drain_ends_after_its_seconds() -> None:
    world = Left(f"{DRAIN}\ndrain_seconds = 7.5")
    await world.leave_after(1)
    await world.turn(7.4)
    assert await world.finals() == []
    await world.turn(0.1)
    await world.turn()
    assert world.scripts[0].closed
    ((ended, amount, at),) = await world.finals()
    assert (ended, at) == ("estimated", world.now())
    assert amount > PRICE


async def test_and_after_its_bytes() -> None:
    world = Left(f"{DRAIN}\ndrain_bytes = 10")
    await world.leave_after(1)
    await world.turn()
    assert world.scripts[0].closed
    assert world.scripts[0].read < USAGE
    ((ended, _, _),) = await world.finals()
    assert ended == "estimated"


async def test_who_asks_the_same_meanwhile_reads_along() -> None:
    world = Left(DRAIN)
    await world.leave_after(1)
    second = await world.chat(stream=True)
    assert second.header("x-penstock-cache") == "hit"
    world.scripts[0].gate.set()
    assert text_of(await read(second)) == "one two three four"
    await world.turn()
    assert await world.finals() == [("settled", PRICE, world.now())]


async def test_only_the_last_reader_leaves_a_drain_behind() -> None:
    world = Left(DRAIN)
    first, second = await world.chat(stream=True), await world.chat(stream=True)
    await first.aclose()
    assert world.scripts[0].closed is False
    await second.aclose()
    await world.turn(1)
    assert await world.finals() == []
    world.scripts[0].gate.set()
    await world.turn()
    assert await world.finals() == [("settled", PRICE, world.now())]


async def test_the_record_has_the_drained_cost() -> None:
    world = Left(DRAIN)
    await world.leave_after(1)
    world.scripts[0].gate.set()
    await world.turn()
    await world.gateway.journal.flush()
    ((record,),) = await world.platform.tables.rows("select record from decisions")
    assert f'"cost_nanos":{PRICE}' in record


async def test_beyond_their_number_streams_are_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drains, "MOST", 2)
    world = Left(DRAIN)
    for number in range(3):
        await world.leave_after(1, f"question {number}")
    assert [script.closed for script in world.scripts] == [False, False, True]
    world.scripts[0].gate.set()
    await world.turn()
    await world.leave_after(1, "another")
    assert not world.scripts[3].closed
    await world.gateway.stop()


async def test_a_stop_settles_what_is_drained() -> None:
    world = Left(DRAIN)
    await world.leave_after(3, "one that is being read")
    await world.turn()
    await world.leave_after(3, "one that was not begun")
    await world.gateway.stop()
    await world.turn()
    assert all(script.closed for script in world.scripts)
    assert [ended for ended, _, _ in await world.finals()] == ["estimated"] * 2
    await world.leave_after(3, "one that leaves after it")
    assert world.scripts[2].closed


async def test_books_that_are_out_of_reach_are_written_when_they_are_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = Left(DRAIN)
    await world.leave_after(1)
    tables = world.platform.tables
    works = tables.batch

    async def down(*statements: Any) -> Any:
        raise Unavailable

    monkeypatch.setattr(tables, "batch", down)
    world.scripts[0].gate.set()
    await world.turn()
    monkeypatch.setattr(tables, "batch", works)
    assert await world.finals() == []
    await world.turn(2)
    await world.turn()
    assert [(ended, cost) for ended, cost, _ in await world.finals()] == [("settled", PRICE)]
