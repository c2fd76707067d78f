"""What a turn leaves in a store for the next: no text, nothing that is believed beyond its use, and no answer waits for it."""

from __future__ import annotations

import asyncio
import json
from math import inf
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from tests.path.test_affinity import (
    CHEAP,
    DEAR,
    NEXT,
    PRICES,
    TOKENS,
    TURN,
    Net,
    ask,
    made,
    usage_chunk,
)
from tests.path.world import World, chunk, streamed


async def test_who_wants_nothing_stored_leaves_no_mark() -> None:
    world = made("heuristic")
    assert await ask(world, TURN, headers=[("cache-control", "no-store")]) == DEAR
    assert await ask(world, NEXT) == CHEAP


async def test_a_mark_tells_nothing_of_what_was_said_or_who_said_it() -> None:
    world = made("heuristic")
    await ask(world, TURN, headers=[("cache-control", "no-cache")])
    marks = [key for key in world.platform.store._entries if key.startswith("warm:")]
    (name,) = marks
    assert len(name) == len("warm:") + 64
    value = await world.platform.store.get(name)
    assert value is not None
    assert len(value) < 60
    assert b"word" not in value
    assert b"alice" not in value


def packed(tokens: int = 10_000, each: Any = (), bound: int = 40_000) -> bytes:
    return msgspec.msgpack.encode((tokens, 20, bound, 0, each))


UNTIL = 1_800_000_300.0
POISON = [
    b"", b"junk", b"\x97\x01\x02\x03\x04\x05\x06\x07", packed(), packed(each=[(DEAR, "", 9_984)]),
    packed(-1, [(DEAR, "", 9_984, UNTIL)]), packed(each=[(DEAR, "", -9_984, UNTIL)]),
    packed(each=[(DEAR, "", 9_984, inf)]), packed(each=[(DEAR, "", 9_984, UNTIL)] * 5),
    packed(each=[("x" * 10_000, "", 1, UNTIL), (DEAR, "", 9_984, UNTIL)]),
    packed(1 << 62, [(DEAR, "", 9_984, UNTIL)]), packed(each=[(DEAR, "elsewhere", 9_984, UNTIL)]),
]  # fmt: skip


@pytest.mark.parametrize("value", POISON)
async def test_a_mark_that_cannot_be_read_counts_for_nothing(value: bytes) -> None:
    world = made("heuristic")
    await ask(world, TURN)
    for key in [key for key in world.platform.store._entries if key.startswith("warm:")]:
        await world.platform.store.put(key, value, 60)
    assert await ask(world, NEXT) == CHEAP
    assert world.reports == []


async def test_a_store_that_fails_costs_the_saving_and_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fails(*_: Any) -> None:
        raise ValueError("not foreseen")

    world = made("heuristic")
    monkeypatch.setattr("penstock.gateway.affinity._store", lambda _: SimpleNamespace(get=fails, put=fails))  # fmt: skip
    assert await ask(world, TURN) == DEAR
    assert await ask(world, NEXT) == CHEAP
    assert [type(error) for error in world.reports] == [ValueError] * 2


async def test_where_nothing_is_cheaper_warm_no_store_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(Net(), more=PRICES.replace('cached_input = "0.1"\n', ""))
    monkeypatch.setattr("penstock.gateway.affinity._store", None)
    assert await ask(world, TURN) == DEAR
    assert await ask(world, NEXT) == CHEAP
    assert world.reports == []


async def test_a_store_that_hangs_holds_up_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(*_: Any) -> None:
        await asyncio.Event().wait()

    world = made("heuristic")
    await ask(world, TURN)
    monkeypatch.setattr("penstock.gateway.affinity._store", lambda _: SimpleNamespace(get=hangs, put=hangs))  # fmt: skip
    asked = asyncio.create_task(ask(world, NEXT))
    await world.platform.clock.run(0.24)
    assert not asked.done()
    await world.platform.clock.run(0.3)
    assert await asked == CHEAP
    assert world.reports == []
    assert await world.stages() == {"reserve": 2, "dispatched": 2, "settled": 2}


async def test_an_answer_that_broke_off_leaves_no_mark() -> None:
    world = made("heuristic")
    used = b"data: " + json.dumps(usage_chunk(TOKENS)).encode() + b"\n\n"
    begun = [chunk({"role": "assistant", "content": "Ye"}), used]
    whole = world.platform.fetch.handler
    world.platform.fetch.handler = lambda _: streamed(begun)
    assert await ask(world, TURN, stream=True) == DEAR
    world.platform.fetch.handler = whole
    assert await ask(world, NEXT) == CHEAP
