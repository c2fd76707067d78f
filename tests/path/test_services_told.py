"""Services whose backends another probes, as on Workers: how isolates hear of it, and who waits for that."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from penstock.errors import Unavailable
from penstock.gateway import build
from penstock.gateway.news import READ_SECONDS
from penstock.platforms.memory.world import Background
from penstock.ports import Probed
from tests.path.services import Served
from tests.path.world import body

THREE = """
[services.orders]
prefixes = ["/api/orders"]
limit = "100000/h"
backends = [{ url = "http://one.test" }, { url = "http://two.test" }, { url = "http://three.test" }]
"""
OPEN_ONE = """
[services.plain]
prefixes = ["/api/plain"]
backends = [{ url = "http://four.test", health = "" }]
"""


class Told:
    """An isolate whose backends another probes; `found` is what that says, and `soon` what it was told."""

    def __init__(self, world: Served) -> None:
        self.found: dict[str, bool] | Exception = {}
        self.soon: list[bool] = []
        self.silent = False
        self._world = world
        self._platform: Any = replace(world.platform, shared_loop=False, probes=self._probes)
        self._first = build(world.gateway.config, self._platform, world.gateway.report)

    async def _probes(self, soon: bool) -> list[Probed]:
        self.soon.append(soon)
        if self.silent:
            await asyncio.Event().wait()
        if isinstance(self.found, Exception):
            raise self.found
        return [Probed(f"{name}/health", well, 0.5) for name, well in self.found.items()]

    async def get(self, path: str = "/api/orders") -> int:
        background = Background()
        platform = replace(self._platform, spawn=background)
        first = self._first
        self._world.gateway = build(first.config, platform, first.report, before=first)
        response = await self._world.get(path)
        await background.join()
        return response.status


async def test_on_workers_anothers_probes_say_how_backends_are() -> None:
    world = Served(THREE)
    told = Told(world)
    told.found = {"http://one.test": False, "http://two.test": True}
    assert [await told.get() for _ in range(30)] == [200] * 30
    assert (world.counts["one.test"], told.soon) == (0, [False])
    told.found = {"http://one.test": True}
    world.platform.clock.advance(READ_SECONDS)
    assert [await told.get() for _ in range(30)] == [200] * 30
    assert world.counts["one.test"] > 0
    assert told.soon == [False, True]
    admin = world.token("root", role="admin")
    [service] = (await body(await world.get("/admin/services", token=admin)))["services"]
    assert [one["probe"] for one in service["backends"]] == ["well", "well", "off"]


async def test_a_backend_that_requests_found_bad_is_to_be_probed_soon() -> None:
    world = Served(THREE)
    told = Told(world)
    world.down("one.test")
    assert [await told.get() for _ in range(60)] == [200] * 60
    assert world.states()["http://one.test"] == "ejected"
    world.platform.clock.advance(READ_SECONDS)
    await told.get()
    assert told.soon == [False, True]


async def test_what_another_found_is_waited_for_only_where_nothing_newer_is_known() -> None:
    world = Served(THREE)
    told = Told(world)
    told.silent = True
    waiting = asyncio.create_task(told.get())
    await world.platform.clock.run(0.9)
    assert not waiting.done()
    # Nobody waits for another's reading.
    assert await told.get() == 200
    await world.platform.clock.run(0.2)
    assert await waiting == 200
    assert len(told.soon) == 1
    told.silent, told.found = False, Unavailable()
    world.platform.clock.advance(READ_SECONDS)
    assert await told.get() == 200
    assert len(told.soon) == 2
    assert world.reports == []


async def test_requests_that_need_no_probed_service_ask_nobody_for_it() -> None:
    world = Served(THREE + OPEN_ONE)
    told = Told(world)
    assert await told.get("/health") == 200
    assert await told.get("/api/plain") == 200
    assert told.soon == []
