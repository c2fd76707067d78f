"""A process that ends in the middle of a claimed request, wherever that is: never a second call, and the key tells the truth."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from penstock.gateway import build
from penstock.platforms.memory.world import Background
from penstock.wire.http import Request, Response
from tests.path.test_idempotency import KEY, NO_STORE, calls, code, gated
from tests.path.world import World, pieces, read, streamed, whole

WAITS = (0, 1, 60, 70, 120, 500, 3_600, 40_000)
"""Seconds between one repeat and the next: less than a day in all."""


class Killed(BaseException):
    """The process is no more."""


class Fuse:
    """Lets so many operations on the world pass; the one after them is the last, done or not, and then there are none."""

    def __init__(self, passes: int, *, done: bool) -> None:
        self.left = passes
        self.done = done
        self.blown = False

    def __call__(self, operation: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def guarded(*args: Any) -> Any:
            if self.blown:
                raise Killed
            self.left -= 1
            if self.left >= 0:
                return await operation(*args)
            self.blown = True
            if self.done:
                await operation(*args)
            raise Killed

        return guarded


class Guarded:
    """A port whose every method burns the fuse."""

    def __init__(self, port: Any, fuse: Fuse) -> None:
        self._port = port
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        return self._fuse(getattr(self._port, name))


async def cut_off(world: World, fuse: Fuse, stream: bool) -> bytes | None:
    """What a process that ends with the fuse replies."""
    platform, background = world.platform, Background()
    doomed = replace(
        platform,
        tables=Guarded(platform.tables, fuse),  # type: ignore[arg-type]  # stands in for the port
        blobs=Guarded(platform.blobs, fuse),  # type: ignore[arg-type]  # stands in for the port
        fetch=fuse(platform.fetch),  # type: ignore[arg-type]  # stands in for the port
        spawn=background,
    )
    alive, world.gateway = world.gateway, build(world.gateway.config, doomed, world.gateway.report)
    try:
        return await read(await world.chat(stream=stream, headers=[*KEY, NO_STORE]))
    except Killed:
        return None
    finally:
        world.gateway = alive
        await background.cancel()


def answers(request: Request) -> Response:
    asked = request.body if isinstance(request.body, bytes) else b""
    return streamed(pieces("Hel", "lo")) if b'"stream":true' in asked else whole("Hello")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("done", [False, True])
async def test_wherever_a_process_ends_its_call_is_the_only_one(done: bool, stream: bool) -> None:
    seen: set[tuple[int, str]] = set()
    for passes in range(100):
        world = World(answers)
        fuse = Fuse(passes, done=done)
        data = await cut_off(world, fuse, stream)
        sent = calls(world)
        last: tuple[int, str] = (0, "")
        for seconds in WAITS:
            world.platform.clock.advance(seconds)
            response = await world.chat(stream=stream, headers=[*KEY, NO_STORE])
            if response.status == 200:
                last = (200, "")
                assert await read(response) == (data or await again(world, stream))
            else:
                last = await code(response)
            assert calls(world) <= 1
        seen.add((sent, last[1]))
        assert calls(world) == 1 or last[1] == "idempotency_outcome_unknown"
        assert last in ((200, ""), (409, "idempotency_outcome_unknown"))
        if not sent and last[0] == 409:
            # Dispatched in the books and not in truth: the books must be believed.
            assert (await world.stages())["dispatched"] == 1
        if not fuse.blown:
            break
    assert seen >= {(0, ""), (1, "idempotency_outcome_unknown"), (1, "")}


async def again(world: World, stream: bool) -> bytes:
    return await read(await world.chat(stream=stream, headers=[*KEY, NO_STORE]))


async def test_a_call_in_flight_is_believed_until_its_lease_ends() -> None:
    world = World(gated(asyncio.Event()))
    asked = asyncio.create_task(world.chat(headers=[*KEY, NO_STORE]))
    await world.platform.clock.run(0)
    for seconds in (0, 120, 500):
        world.platform.clock.advance(seconds)
        found = await code(await world.chat(headers=[*KEY, NO_STORE]))
        assert found == (409, "idempotency_in_flight")
    world.platform.clock.advance(50)
    found = await code(await world.chat(headers=[*KEY, NO_STORE]))
    assert found == (409, "idempotency_outcome_unknown")
    asked.cancel()
    await asyncio.wait([asked])
    assert calls(world) == 1


async def test_who_comes_back_to_a_claim_that_was_taken_over_sends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It hung before its hold for so long that a repeat took its place."""
    world = World()
    gate = asyncio.Event()
    find = world.platform.store.get

    async def hangs(key: str) -> bytes | None:
        await gate.wait()
        return await find(key)

    monkeypatch.setattr(world.platform.store, "get", hangs)
    hung = asyncio.create_task(world.chat(headers=KEY))
    await world.platform.clock.run(0)
    assert await code(await world.chat(headers=KEY)) == (409, "idempotency_in_flight")
    world.platform.clock.advance(120)
    second = await world.chat(headers=[*KEY, NO_STORE])
    data = await read(second)
    assert (second.status, calls(world)) == (200, 1)
    gate.set()
    first = await hung
    assert await code(first) == (409, "idempotency_in_flight")
    assert await read(await world.chat(headers=KEY)) == data
    assert calls(world) == 1


async def test_a_hold_that_was_released_behind_a_dead_process_frees_the_key() -> None:
    """As the reconciler does where the provider knows of no call."""
    world = World(gated(asyncio.Event()))
    asked = asyncio.create_task(world.chat(headers=[*KEY, NO_STORE]))
    await world.platform.clock.run(0)
    ((request_id,),) = await world.platform.tables.rows("select request_id from idempotency")
    released = "insert into ledger (request_id, attempt, stage, ended, at) values ($1, 1, 'final', 'released', $2)"
    await world.platform.tables.batch((released, (request_id, 0)))
    world.platform.fetch.handler = lambda request: whole("after all")
    assert (await world.chat(headers=[*KEY, NO_STORE])).status == 200
    asked.cancel()
    await asyncio.wait([asked])
    assert b"after all" in await read(await world.chat(headers=[*KEY, NO_STORE]))
