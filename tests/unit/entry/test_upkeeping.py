"""The upkeep of a server: passes until it is told to stop, whatever one of them comes to."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from penstock.entry import upkeeping as module
from penstock.entry.reload import Serving
from penstock.entry.upkeeping import EVERY_SECONDS, upkeeping
from penstock.errors import Unavailable
from tests.path.world import World


class Kept(World):
    """A world whose passes are counted; `fails` is what the next one comes to."""

    def __init__(self) -> None:
        super().__init__()
        self.passes: list[Any] = []
        self.fails: BaseException | None = None

    async def upkeep(self, gateway: Any) -> None:
        self.passes.append(gateway)
        if self.fails is not None:
            raise self.fails


@pytest.mark.parametrize("error", [None, Unavailable(), RuntimeError("a bug")])
async def test_it_passes_until_told_to_stop(monkeypatch, error):
    world, stop = Kept(), asyncio.Event()
    monkeypatch.setattr(module, "upkeep", world.upkeep)
    world.fails = error
    task = asyncio.ensure_future(upkeeping(cast(Serving, world), stop))
    await world.platform.clock.run(0)
    assert world.passes == [world.gateway]
    await world.platform.clock.run(4 * EVERY_SECONDS)
    assert len(world.passes) in (4, 5, 6)
    stop.set()
    await world.platform.clock.run(EVERY_SECONDS)
    assert task.done()
    expected = isinstance(error, RuntimeError)
    assert len(world.reports) == (len(world.passes) if expected else 0)
