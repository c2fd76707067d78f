"""What every Spawn keeps to, and how each home waits for what it started."""

from __future__ import annotations

import asyncio
import logging

import pytest

from penstock.platforms.memory.world import Background
from penstock.platforms.world import Spawner


@pytest.fixture(params=[Background, Spawner], ids=["memory", "embedded"])
def spawn(request):
    return request.param()


async def join(spawn: Background | Spawner) -> None:
    await (spawn.join() if isinstance(spawn, Background) else spawn.drain(10))


async def test_work_runs_on_and_can_be_awaited(spawn) -> None:
    done = []

    async def later() -> None:
        done.append("later")

    async def work() -> None:
        await asyncio.sleep(0)
        done.append("work")
        spawn(later())

    spawn(work())
    assert done == []
    await join(spawn)
    assert done == ["work", "later"]


async def test_a_failure_under_test_is_raised() -> None:
    spawn = Background()

    async def fail() -> None:
        raise ValueError("here")

    spawn(fail())
    with pytest.raises(ValueError, match="here"):
        await spawn.join()


async def test_a_failure_is_logged_without_what_it_says(caplog) -> None:
    spawn = Spawner()

    async def fail() -> None:
        raise ValueError("a prompt")

    with caplog.at_level(logging.ERROR):
        spawn(fail())
        await spawn.drain(10)
    assert "ValueError" in caplog.text
    assert "a prompt" not in caplog.text


async def test_what_takes_too_long_is_ended() -> None:
    ended = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    spawn = Spawner()
    spawn(forever())
    await asyncio.sleep(0)
    await spawn.drain(0)
    assert ended == [True]


async def test_a_test_can_end_what_never_ends() -> None:
    spawn = Background()
    spawn(asyncio.Event().wait())  # type: ignore[arg-type]  # the event is never set
    assert spawn.running == 1
    await spawn.cancel()
    assert spawn.running == 0
