"""Idempotency-Key where the first request's outcome is lost, or its reply: told so for as long as the key lives."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from penstock.errors import Broken, Unavailable
from penstock.gateway.idempotency import MOST_BYTES
from tests.path.test_charged_twice import fails, told
from tests.path.test_idempotency import DAY, KEY, NO_STORE, calls, code, gated
from tests.path.world import World, pieces, read, streamed, whole


async def unknown(world: World, **how: Any) -> None:
    """Each repeat is told so, until the key's life is over."""
    for _ in range(3):
        response = await world.chat(headers=[*KEY, NO_STORE], **how)
        assert told(response) == ["false"]
        assert await code(response) == (409, "idempotency_outcome_unknown")
        world.platform.clock.advance(3_600)
    assert calls(world) == 1


@pytest.mark.parametrize("error", [Broken(), RuntimeError()])
async def test_a_call_that_may_have_been_charged(error: Exception) -> None:
    world = World(fails(error))
    assert (await world.chat(headers=[*KEY, NO_STORE])).status >= 500
    await unknown(world)
    world.platform.clock.advance(DAY)
    world.platform.fetch.handler = lambda request: whole("a day later")
    assert (await world.chat(headers=KEY)).status == 200


async def test_a_client_that_leaves_before_the_answer() -> None:
    world = World(gated(asyncio.Event()))
    asked = asyncio.create_task(world.chat(headers=[*KEY, NO_STORE]))
    await world.platform.clock.run(0)
    asked.cancel()
    await asyncio.wait([asked])
    await unknown(world)
    assert (await world.stages())["estimated"] == 1


async def test_a_client_that_leaves_in_the_middle_of_a_stream() -> None:
    world = World(lambda request: streamed(pieces("Hel", "lo")))
    response = await world.chat(headers=[*KEY, NO_STORE], stream=True)
    assert not isinstance(response.body, bytes)
    await response.body.__anext__()
    await response.aclose()
    await response.aclose()
    await unknown(world, stream=True)


async def test_a_stream_that_was_never_read() -> None:
    world = World(lambda request: streamed(pieces("Hel", "lo")))
    await (await world.chat(headers=[*KEY, NO_STORE], stream=True)).aclose()
    await unknown(world, stream=True)


async def test_a_client_that_leaves_right_after_the_last_event() -> None:
    world = World(lambda request: streamed(pieces("Hello")))
    response = await world.chat(headers=[*KEY, NO_STORE], stream=True)
    data = b""
    assert not isinstance(response.body, bytes)
    while not data.endswith(b"[DONE]\n\n"):
        data += await response.body.__anext__()
    await response.aclose()
    assert await read(await world.chat(headers=[*KEY, NO_STORE], stream=True)) == data
    assert calls(world) == 1


async def test_a_stream_that_failed_is_repeated_as_it_was() -> None:
    world = World(lambda request: streamed([*pieces("Hel")[:2], Broken()]))
    data = await read(await world.chat(headers=[*KEY, NO_STORE], stream=True))
    assert b'"error"' in data
    assert await read(await world.chat(headers=[*KEY, NO_STORE], stream=True)) == data
    assert calls(world) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_reply_too_large_to_keep(stream: bool) -> None:
    text = "x" * MOST_BYTES
    world = World(lambda request: streamed(pieces(text)) if stream else whole(text))
    how: dict[str, Any] = {"headers": [*KEY, NO_STORE], "stream": stream}
    assert len(await read(await world.chat(**how))) > MOST_BYTES
    again = await world.chat(**how)
    assert told(again) == ["false"]
    assert await code(again) == (409, "idempotency_body_not_kept")
    assert calls(world) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_reply_that_there_was_no_place_to_keep(stream: bool, monkeypatch: Any) -> None:
    world = World(lambda request: streamed(pieces("Hello")) if stream else whole("Hello"))

    async def full(key: str, value: bytes, ttl: float) -> None:
        raise Unavailable

    monkeypatch.setattr(world.platform.blobs, "put", full)
    how: dict[str, Any] = {"headers": [*KEY, NO_STORE], "stream": stream}
    assert b"Hello" in await read(await world.chat(**how))
    assert await code(await world.chat(**how)) == (409, "idempotency_body_not_kept")


async def test_a_cached_reply_that_no_store_could_note_is_not_bought_by_its_repeat(
    monkeypatch: Any,
) -> None:
    """It has no row in the ledger that would tell of it: the claim is marked once the tables are back."""
    world = World(lambda request: whole("Hello"))
    await world.chat()
    batch, away = world.platform.tables.batch, [True]

    async def full(key: str, value: bytes, ttl: float) -> None:
        raise Unavailable

    async def unmarked(*statements: Any) -> Any:
        if away[0] and any("set state" in sql for sql, _ in statements):
            raise Unavailable
        return await batch(*statements)

    monkeypatch.setattr(world.platform.blobs, "put", full)
    monkeypatch.setattr(world.platform.tables, "batch", unmarked)
    hit = await world.chat(headers=KEY)
    assert hit.header("x-penstock-cache") == "hit"
    await world.platform.clock.run(2)
    away[0] = False
    await world.platform.clock.run(600)
    world.platform.clock.advance(3_600)  # long enough that nobody can be at work on it still
    assert await code(await world.chat(headers=[*KEY, NO_STORE])) == (
        409,
        "idempotency_body_not_kept",
    )
    assert calls(world) == 1
