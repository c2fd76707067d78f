"""Kept replies of services as operators see them: purges, bounds, counts, a reload, and a home where each request is alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from penstock.config import decode, defaults
from penstock.gateway import build
from penstock.gateway.air import PERIOD_SECONDS
from penstock.platforms.memory.store import MemoryStore
from penstock.platforms.memory.world import Background
from penstock.wire.http import Request, Response
from tests.path.services import CACHED, RULED, SHARED, Kept
from tests.path.world import CONFIG, Script, body, read

# Purges, bounds, counts


@pytest.mark.parametrize(
    "query",
    ["", "kind=http", "route=orders", "owner=alice", "url=/api/orders/7%3Fx%3D1", "tag=shoes", "tag=red",
     "url=https%3A//shop.example/api/orders/7%3Fx%3D1", "kind=chat&tag=shoes"],
)  # fmt: skip
async def test_a_purge_forgets_what_it_names_in_every_process(query: str) -> None:
    world = Kept(cache_tag="shoes, hats", surrogate_key="red blue")
    before = world.gateway
    other = build(before.config, replace(world.platform), before.report)

    async def found() -> str | None:
        request = Request(
            "GET", b"/api/orders/7?x=1", "/api/orders/7", "x=1", [("authorization", f"Bearer {token}")], "192.0.2.1"
        )  # fmt: skip
        response = await other(request)
        await read(response)
        return response.header("x-cache")

    token = world.token()
    assert [await found(), await found()] == ["MISS", "HIT"]
    assert (await world.purge(query))[0] == 200
    world.platform.clock.advance(10.0)
    assert [await found(), await found()] == ["MISS", "HIT"]


@pytest.mark.parametrize(
    "query", ["kind=chat", "route=other", "owner=bob", "url=/api/orders/7", "tag=sho", "model=x"]
)
async def test_and_nothing_else(query: str) -> None:
    world = Kept(cache_tag="shoes")
    assert await world.number("/api/orders") == "1"
    assert (await world.purge(query))[0] == 200
    assert await world.number("/api/orders") == "1"


@pytest.mark.parametrize(
    "query", ["url=", "tag=", "url=orders", "url=/a%23b", "url=/a%20b", "kind=replies"]
)
async def test_what_names_nothing_is_refused(query: str) -> None:
    status, told = await Kept().purge(query)
    assert (status, told["code"]) == (400, "invalid_field")


async def test_too_many_names_empty_it_and_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.cache.generations.MOST_SINGLE", 3)
    world = Kept()
    assert await world.number() == "1"
    for at in range(3):
        await world.purge(f"tag=t{at}")
    assert await world.number() == "1"
    await world.purge("url=/api/else")
    assert await world.number() == "2"
    rows = await world.platform.tables.rows("select scope, number from generations")
    assert [tuple(row) for row in rows] == [("kind:http", 1)]


async def test_replies_have_their_share_of_the_store_and_no_more() -> None:
    world = Kept("[cache]\nhttp_max_bytes = 20_000\n" + CACHED)
    world.otherwise = lambda request: Response(200, list(world.says), bytes(5_000))
    for at in range(10):
        await world.get(f"/api/orders/{at}")
    kept = [(await world.get(f"/api/orders/{at}")).header("x-cache") for at in (9, 8, 7)]
    assert kept == ["HIT"] * 3
    assert (await world.get("/api/orders/0")).header("x-cache") == "MISS"
    replies = world.gateway.services.replies
    assert replies is not None
    assert replies.kept.bytes <= 20_000


async def test_what_is_put_together_at_once_is_bounded_too() -> None:
    world = Kept("[cache]\nhttp_max_bytes = 20_000\n" + CACHED)
    world.otherwise = lambda request: Response(200, list(world.says), Script([bytes(4_000)] * 2))
    readers = [await world.get(f"/api/orders/{at}") for at in range(8)]
    replies = world.gateway.services.replies
    assert replies is not None
    for response in readers:
        assert not isinstance(response.body, bytes)
        await anext(response.body)
    assert replies.room.held <= 24_000
    assert [await read(response) for response in readers] == [bytes(4_000)] * 8
    assert replies.room.held == 0


async def test_larger_ones_pass_and_are_not_kept() -> None:
    world = Kept("[cache]\nmax_entry_bytes = 1_000\n" + CACHED)
    world.otherwise = lambda request: Response(200, list(world.says), Script([bytes(600)] * 2))
    for _ in range(2):
        response = await world.get("/api/orders")
        assert (await read(response), response.header("x-cache")) == (bytes(1_200), "MISS")


async def test_finds_are_counted_and_logged() -> None:
    world = Kept()
    request = Request(
        "GET", b"/api/orders", "/api/orders", "", [("authorization", f"Bearer {world.token()}")], "192.0.2.1"
    )  # fmt: skip
    await world.gateway(request)
    assert (request.notes["cache"], request.notes["service"]) == ("miss", "orders")
    assert request.notes["backend"] == "http://one.test"
    request.notes = {}
    await world.gateway(request)
    assert request.notes["cache"] == "hit"
    assert not {"owner", "backend"} & request.notes.keys()
    admin = world.token("root", role="admin")
    text = (await read(await world.get("/metrics", token=admin))).decode()
    assert 'penstock_cache_hits_total{kind="http"} 1' in text
    assert 'penstock_cache_misses_total{kind="http"} 1' in text
    told = await body(await world.get("/admin/cache", token=admin))
    assert told["kinds"] == [{"kind": "http", "hits": 1, "misses": 1}]


# A reload, and Workers


async def test_what_is_kept_outlives_a_reload() -> None:
    world = Kept()
    assert await world.number() == "1"
    config, _ = defaults(decode(CONFIG + CACHED + "attempts = 2\n", {}), {})
    before = world.gateway
    world.gateway = build(config, world.platform, before.report, before=before)
    assert await world.number() == "1"
    assert world.gateway.services.replies is before.services.replies


async def test_a_refresh_that_is_late_for_a_reload_goes_where_it_would_have_gone() -> None:
    world = Kept(RULED)
    assert await world.number() == "1"
    world.platform.clock.advance(65.0)
    assert await world.number() == "1"
    config, _ = defaults(decode(CONFIG, {}), {})
    before = world.gateway
    world.gateway = build(config, world.platform, before.report, before=before)
    await world.platform.clock.run(1.0)
    assert len(world.seen) == 2
    assert (await world.get("/api/orders")).status == 404
    assert world.reports == []


class Isolate:
    """Where each request has a gateway of its own, and replies a store of their own."""

    def __init__(self, world: Kept) -> None:
        self.replies = MemoryStore(world.platform.clock)
        self._world = world
        platform: Any = world.platform
        self._platform = replace(platform, shared_loop=False, store=Nowhere(), replies=self.replies)
        before = world.gateway
        self.first = build(before.config, self._platform, before.report)

    async def ask(self, path: str = "/api/orders", method: str = "GET") -> Response:
        platform = replace(self._platform, spawn=Background())
        first = self.first
        self._world.gateway = build(first.config, platform, first.report, before=first)
        return await self._world.ask(path, method=method)


class Nowhere:
    """A store that nothing may lie in."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


async def test_on_workers_they_are_kept_in_a_store_of_their_own() -> None:
    isolate = Isolate(Kept(RULED))
    told = [await isolate.ask() for _ in range(2)]
    assert [(await read(one), one.header("x-cache")) for one in told] == [
        (b"1", "MISS"), (b"1", "HIT"),
    ]  # fmt: skip
    assert (await isolate.ask(method="DELETE")).status == 200
    assert await read(await isolate.ask()) == b"3"


async def test_what_a_request_held_that_was_killed_there_is_forgotten() -> None:
    world = Kept("[cache]\nhttp_max_bytes = 20_000\n" + CACHED)
    world.otherwise = lambda request: Response(200, list(world.says), Script([bytes(4_000)] * 3))
    isolate = Isolate(world)
    killed = [await isolate.ask(f"/api/orders/{at}") for at in range(6)]
    for response in killed:
        assert not isinstance(response.body, bytes)
        await anext(response.body)
        await anext(response.body)

    async def kept() -> str | None:
        await read(await isolate.ask("/api/orders/new"))
        return (await isolate.ask("/api/orders/new")).header("x-cache")

    assert await kept() == "MISS"
    world.platform.clock.advance(PERIOD_SECONDS)
    assert await kept() == "HIT"
    # What comes back late was not counted here.
    for response in killed:
        await response.aclose()
    replies = isolate.first.services.replies
    assert replies is not None
    assert replies.room.held == 0


async def test_a_refresh_that_was_killed_there_is_made_again() -> None:
    world = Kept(RULED.replace("revalidate = 30", "revalidate = 3_600"))
    isolate = Isolate(world)
    await isolate.ask()
    world.platform.clock.advance(65.0)
    forever: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    world.otherwise = lambda request: forever
    assert (await isolate.ask()).header("x-cache") == "HIT"
    await world.reached(2)
    world.platform.clock.advance(PERIOD_SECONDS)
    world.otherwise = lambda request: Response(200, list(world.says), b"new")
    await isolate.ask()
    await world.reached(3)
    forever.set_result(Response(200, [], b"late"))
    await world.platform.spawn.join()


def test_start_up_says_what_is_kept_and_where_nothing_is() -> None:
    _, notes = defaults(decode(CONFIG + SHARED, {}), {})
    assert [one for one in notes if "GETs cached (shared)" in one]
    there = 'platform = "cloudflare"\n' + CONFIG + SHARED
    _, notes = defaults(decode(there, {}), {})
    assert [one for one in notes if "on workers.dev Cloudflare keeps nothing" in one]
