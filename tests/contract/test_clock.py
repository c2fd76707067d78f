"""What every Clock keeps to; the fake one lets time pass by `turn`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from penstock.platforms.memory.world import FakeClock
from penstock.platforms.world import RealClock
from penstock.ports import Clock

Turn = Callable[[], Awaitable[None]]


async def _pass() -> None:
    await asyncio.sleep(0)


def real() -> tuple[Clock, Turn]:
    return RealClock(), _pass


def fake() -> tuple[Clock, Turn]:
    clock = FakeClock()
    return clock, lambda: clock.run(0.01)


@pytest.fixture(params=[fake, real], ids=["memory", "embedded"])
def world(request):
    return request.param()


async def end(task: asyncio.Task, turn: Turn) -> None:
    while not task.done():
        await turn()


async def test_a_sleep_ends_when_it_is_over(world) -> None:
    clock, turn = world
    before = clock.tick(), clock.now()
    await end(asyncio.create_task(clock.sleep(0.02)), turn)
    assert clock.tick() - before[0] >= 0.019
    assert clock.now() - before[1] >= 0.019
    await clock.sleep(0)


async def test_a_block_that_outlasts_its_time_is_ended(world) -> None:
    clock, turn = world

    async def slow() -> str:
        try:
            async with clock.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            return "ended"
        return "never"

    task = asyncio.create_task(slow())
    await end(task, turn)
    assert task.result() == "ended"


async def test_a_block_that_is_quick_is_left_alone(world) -> None:
    clock, turn = world
    async with clock.timeout(0.01):
        await asyncio.sleep(0)
    await end(asyncio.create_task(clock.sleep(0.02)), turn)


async def test_cancelling_is_not_a_time_out(world) -> None:
    clock, _ = world

    async def slow() -> None:
        async with clock.timeout(60):
            await clock.sleep(60)

    task = asyncio.create_task(slow())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert getattr(clock, "waiting", 0) == 0


async def test_fake_sleepers_wake_in_order_of_their_time() -> None:
    clock, woken = FakeClock(), []

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((seconds, clock.tick()))

    tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (3, 1, 2, 9)]
    await clock.run(5)
    assert woken == [(1, 1), (2, 2), (3, 3)]
    assert clock.waiting == 1
    clock.advance(10)
    assert clock.tick() == 15
    await asyncio.gather(*tasks)
    assert woken[-1] == (9, 15)


async def test_a_fake_sleeper_may_sleep_again_while_time_runs() -> None:
    clock = FakeClock()
    beats: list[float] = []

    async def heart() -> None:
        while len(beats) < 3:
            await clock.sleep(1)
            beats.append(clock.tick())

    task = asyncio.create_task(heart())
    await clock.run(10)
    assert beats == [1, 2, 3]
    await task
