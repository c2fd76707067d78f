"""Services whose backends fail: who is asked next, who is left out, who comes back, and what an operator sees of it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from penstock.config import decode, defaults
from penstock.errors import Broken, Cut, Failed, NotSent, Stalled
from penstock.gateway import build
from penstock.platforms.memory.world import Background
from penstock.upstream.health import FAILURES
from penstock.wire.http import Request, Response
from tests.path.services import ORDERS, Served, refused
from tests.path.world import CONFIG, Script, body, read

THREE = """
[services.orders]
prefixes = ["/api/orders"]
limit = "100000/h"
backends = [{ url = "http://one.test" }, { url = "http://two.test" }, { url = "http://three.test" }]
"""
MANY = ORDERS + 'limit = "100000/h"\n'


def breaking(error: Failed) -> Any:
    def backend(request: Request) -> Response:
        raise error

    return backend


async def test_requests_are_shared_by_weight() -> None:
    world = Served(MANY)
    for _ in range(200):
        await world.get("/api/orders")
    assert world.counts == {"one.test": 140, "two.test": 60}


async def test_least_goes_where_fewest_are_in_the_air() -> None:
    world = Served(THREE + 'balance = "least"\n')
    world.backends["one.test"] = lambda request: Response(200, [], Script([b"x"]))
    held = [await world.get("/api/orders") for _ in range(3)]
    for _ in range(20):
        await world.get("/api/orders")
    assert world.counts["one.test"] == 1
    for response in held:
        await response.aclose()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "POST", "PATCH"])
async def test_a_refused_connection_always_fails_over(method: str) -> None:
    world = Served(MANY)
    world.down("one.test")
    answers = [(await world.ask("/api/orders", method=method)).status for _ in range(10)]
    assert answers == [200] * 10


@pytest.mark.parametrize("error", [Broken("x"), Stalled("x")])
async def test_an_idempotent_request_goes_to_another_and_a_sent_post_does_not(
    error: Failed,
) -> None:
    world = Served(THREE)
    world.backends["one.test"] = breaking(error)
    answers = [(await world.get("/api/orders")).status for _ in range(3)]
    assert answers == [200] * 3
    world = Served(THREE)
    world.backends["one.test"] = breaking(error)
    posts = [await world.ask("/api/orders", {"x": 1}) for _ in range(3)]
    assert sorted(response.status for response in posts) == [200, 200, error.status]
    assert len(world.seen) == 3
    [failed] = [response for response in posts if response.status != 200]
    assert failed.header("x-should-retry") == "false"


@pytest.mark.parametrize(
    ("status", "elsewhere"),
    [(502, True), (503, True), (504, True), (500, False), (429, False), (404, False)],
)
async def test_which_replies_go_to_another(status: int, elsewhere: bool) -> None:
    script = Script([b"no"])
    world = Served(THREE)
    world.backends["one.test"] = lambda request: Response(status, [("retry-after", "7")], script)
    answers = [await world.get("/api/orders") for _ in range(3)]
    told = sorted(response.status for response in answers)
    assert told == ([200] * 3 if elsewhere else sorted([200, 200, status]))
    assert script.closed is elsewhere
    for response in answers:
        await response.aclose()


async def test_no_more_backends_are_tried_than_allowed_and_none_twice() -> None:
    world = Served(THREE, refused)
    assert (await world.get("/api/orders")).status == 502
    assert sorted(world.counts.values()) == [1, 1, 1]
    world = Served(THREE + "attempts = 2\n", refused)
    assert (await world.get("/api/orders")).status == 502
    assert sum(world.counts.values()) == 2


async def test_retries_stay_a_fifth_of_what_is_in_the_air() -> None:
    world = Served(THREE)
    firsts, retries = asyncio.Event(), asyncio.Event()

    async def fails(request: Request) -> Response:
        await (firsts if len(world.seen) <= 50 else retries).wait()
        return Response(503, [], b"")

    world.otherwise = fails
    asked = [asyncio.ensure_future(world.get("/api/orders")) for _ in range(50)]
    await world.reached(50)
    firsts.set()
    await world.platform.clock.run(0)
    budget = world.gateway.lasting.pools.of("orders").retries
    assert budget.firsts == budget.retries == len(world.seen) - 50
    assert 0 < budget.retries <= 10
    retries.set()
    await asyncio.gather(*asked)
    assert (budget.firsts, budget.retries) == (0, 0)


async def test_a_small_body_is_read_so_that_another_can_have_it() -> None:
    bodies: list[bytes] = []

    async def takes(request: Request) -> Response:
        bodies.append(await request.read(1 << 20))
        if len(bodies) == 1:
            raise Broken("x")
        return Response(200, [], b"")

    world = Served(THREE, takes)
    assert (await put(world, [b"abc", b"def"], length="6")).status == 200
    assert bodies == [b"abcdef", b"abcdef"]


async def test_a_large_body_that_was_taken_is_sent_to_nobody_else() -> None:
    async def takes(request: Request) -> Response:
        await request.read(1 << 20)
        raise Broken("x")

    world = Served(THREE, takes)
    assert (await put(world, [b"abc"], length="100000")).status == 502
    assert len(world.seen) == 1
    world = Served(THREE)
    world.down("one.test")
    assert [(await put(world, [b"abc"], length="100000")).status for _ in range(3)] == [200] * 3


async def put(world: Served, parts: list[bytes], length: str) -> Response:
    headers = [("authorization", f"Bearer {world.token()}"), ("content-length", length)]
    return await world.gateway(
        Request("PUT", b"/api/orders/1", "/api/orders/1", "", headers, "192.0.2.1", Script(parts))
    )


# Health


async def test_five_failures_in_a_row_and_it_is_asked_no_more() -> None:
    world = Served(THREE)
    world.down("one.test")
    for _ in range(60):
        assert (await world.get("/api/orders")).status == 200
    assert world.counts["one.test"] == FAILURES
    assert world.states()["http://one.test"] == "ejected"


@pytest.mark.parametrize("status", [400, 401, 404, 408, 429, 501])
async def test_what_is_the_callers_fault_says_nothing_of_a_backend(status: int) -> None:
    world = Served(THREE)
    world.backends["one.test"] = lambda request: Response(status, [], b"")
    for _ in range(40):
        await world.get("/api/orders")
    assert set(world.states().values()) == {"up"}


async def test_a_reply_larger_than_its_cap_and_a_caller_who_left_say_nothing_either() -> None:
    world = Served(THREE)
    world.backends["one.test"] = breaking(Cut("x"))
    for _ in range(40):
        await world.get("/api/orders")
    assert set(world.states().values()) == {"up"}


async def test_a_body_that_breaks_off_before_its_first_piece_goes_to_another() -> None:
    script = Script([Broken("cut")])
    world = Served(THREE)
    world.backends["one.test"] = lambda request: Response(200, [], script)
    assert [(await world.get("/api/orders")).status for _ in range(3)] == [200] * 3
    assert script.closed
    assert (await world.get("/api/orders")).status == 200
    world = Served(THREE, lambda request: Response(200, [], Script([Broken("cut")])))
    assert (await world.ask("/api/orders", {"x": 1})).status == 502
    assert len(world.seen) == 1


async def test_bodies_that_break_off_count_as_failures() -> None:
    world = Served(THREE)
    world.backends["one.test"] = lambda request: Response(200, [], Script([b"x", Broken("cut")]))
    for _ in range(30):
        response = await world.get("/api/orders")
        with suppress(Broken):
            await read(response)
    assert world.states()["http://one.test"] == "ejected"


async def test_probes_bring_it_back() -> None:
    world = Served(THREE)
    world.down("one.test")
    await world.probe()
    assert world.states()["http://one.test"] == "ejected"
    assert [r.target for r in world.seen] == [
        f"http://{at}.test/health".encode() for at in ("one", "two", "three")
    ]
    assert world.seen[0].timeouts is not None
    assert world.seen[0].timeouts.total == 5.0
    del world.backends["one.test"]
    await world.probe()
    assert world.states()["http://one.test"] == "ejected"  # not its turn yet
    world.platform.clock.advance(6.0)
    await world.probe()
    assert set(world.states().values()) == {"up"}


async def test_all_bad_and_all_are_tried() -> None:
    world = Served(THREE, refused)
    for _ in range(10):
        assert (await world.get("/api/orders")).status == 502
    assert set(world.states().values()) == {"bad"}
    world.seen.clear()
    world.otherwise = lambda request: Response(200, [], b"")
    assert (await world.get("/api/orders")).status == 200
    assert len(world.seen) == 1


async def test_what_is_known_outlives_a_reload() -> None:
    world = Served(THREE)
    world.down("one.test")
    for _ in range(30):
        await world.get("/api/orders")
    again = THREE.replace(
        '{ url = "http://three.test" }', '{ url = "http://four.test", weight = 5 }'
    )
    config, _ = defaults(decode(CONFIG + again, {}), {})
    before = world.gateway
    world.gateway = build(config, world.platform, before.report, before=before)
    assert world.states() == {
        "http://one.test": "ejected",
        "http://two.test": "up",
        "http://four.test": "up",
    }


async def test_on_workers_requests_alone_find_out_and_time_brings_it_back() -> None:
    """There each request has a gateway of its own; here nobody probes for it, though `health` is set."""
    world = Served(THREE)
    world.down("one.test")
    isolate = replace(world.platform, shared_loop=False)
    config, report = world.gateway.config, world.gateway.report
    first = build(config, isolate, report)

    async def asked() -> int:
        world.gateway = build(config, replace(isolate, spawn=Background()), report, before=first)
        return (await world.get("/api/orders")).status

    assert [await asked() for _ in range(60)] == [200] * 60
    assert world.counts["one.test"] == FAILURES
    await world.probe()
    assert world.counts["one.test"] == FAILURES
    world.platform.clock.advance(31.0)
    del world.backends["one.test"]
    assert [await asked() for _ in range(3)] == [200] * 3
    assert world.counts["one.test"] == FAILURES + 1


async def test_where_nobody_probes_its_time_brings_it_back() -> None:
    world = Served(THREE.replace('one.test" }', 'one.test", health = "" }'))
    world.down("one.test")
    for _ in range(30):
        await world.get("/api/orders")
    assert world.states()["http://one.test"] == "ejected"
    world.platform.clock.advance(31.0)
    before = world.counts["one.test"]
    for _ in range(3):
        await world.get("/api/orders")
    assert world.counts["one.test"] == before + 1


# What an operator sees


async def test_the_operator_sees_how_backends_stand() -> None:
    world = Served(THREE.replace("http://two.test", "http://two.test/base"))
    world.down("one.test")
    for _ in range(30):
        await world.get("/api/orders")
    assert (await world.get("/admin/services")).status == 403
    told = await body(await world.get("/admin/services", token=world.token(scope="admin")))
    [service] = told["services"]
    assert (service["name"], service["prefixes"], service["balance"]) == (
        "orders",
        ["/api/orders"],
        "weighted",
    )
    one, two, _ = service["backends"]
    assert (one["state"], one["ejections"], one["requests"]) == (
        "ejected",
        1,
        {"upstream_unreachable": 5},
    )
    assert (two["url"], two["state"], two["weight"], two["in_air"]) == (
        "http://two.test/base",
        "up",
        100,
        0,
    )
    assert two["requests"]["2xx"] > 10


async def test_gauges_and_counters_have_bounded_labels() -> None:
    world = Served(THREE)
    world.down("one.test")
    for at in range(30):
        await world.get(f"/api/orders/{at}")
    text = (await read(await world.get("/metrics", token=world.token(scope="admin")))).decode()
    lines = text.splitlines()
    one = 'service="orders",backend="http://one.test"'
    assert f"penstock_backend_serving{{{one}}} 0" in lines
    assert f"penstock_backend_bad{{{one}}} 1" in lines
    assert f"penstock_backend_ejections_total{{{one}}} 1" in lines
    assert f"penstock_backend_requests_in_air{{{one}}} 0" in lines
    assert f'penstock_backend_requests_total{{{one},outcome="upstream_unreachable"}} 5' in lines
    assert 'penstock_requests_total{path="/api/orders/*",method="GET",status="200"} 30' in lines


async def test_a_service_takes_a_slot() -> None:
    world = Served(THREE)
    gate = asyncio.Event()

    async def waits(request: Request) -> Response:
        await gate.wait()
        return Response(200, [], b"")

    world.otherwise = waits
    asked = asyncio.ensure_future(world.get("/api/orders"))
    await world.reached(1)
    assert world.gateway.lasting.admission.running == 1
    gate.set()
    await asked
    assert world.gateway.lasting.admission.running == 0


async def test_who_leaves_while_a_backend_thinks_harms_nobody() -> None:
    world = Served(THREE)

    async def never(request: Request) -> Response:
        await asyncio.Event().wait()
        raise NotSent

    world.otherwise = never
    for _ in range(20):
        before = len(world.seen)
        asked = asyncio.ensure_future(world.get("/api/orders"))
        await world.reached(before + 1)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
    assert set(world.states().values()) == {"up"}
    pool = world.gateway.lasting.pools.of("orders")
    assert sum(member.in_air for member in pool.members) == 0
    assert (pool.retries.firsts, pool.retries.retries) == (0, 0)
