"""What is no backend's failure, and where what is in the air over a reload counts."""

from __future__ import annotations

import asyncio

import pytest

from penstock.config import decode, defaults
from penstock.errors import Broken, Overlong, Stalled
from penstock.gateway import build
from penstock.wire.http import Request, Response
from tests.path.services import Served
from tests.path.test_services_failing import THREE
from tests.path.world import CONFIG, Script, read


async def test_a_stream_that_outlasts_its_time_says_nothing_of_its_backend() -> None:
    """It may have no end, or a slow reader."""
    world = Served(THREE, lambda request: Response(200, [], Script([b"x", Overlong("x")])))
    for _ in range(30):
        response = await world.get("/api/orders")
        with pytest.raises(Overlong):
            await read(response)
    assert set(world.states().values()) == {"up"}


@pytest.mark.parametrize(("kind", "state"), [("text/event-stream", "up"), ("text/plain", "bad")])
async def test_nor_do_events_that_are_long_in_coming(kind: str, state: str) -> None:
    world = Served(
        THREE,
        lambda request: Response(200, [("content-type", kind)], Script([b"x", Stalled("x")])),
    )
    for _ in range(15):
        with pytest.raises(Stalled):
            await read(await world.get("/api/orders"))
    assert set(world.states().values()) == {state}


@pytest.mark.parametrize(("sent", "state"), [(False, "up"), (True, "bad")])
async def test_nor_does_a_body_that_its_sender_was_too_slow_with(*, sent: bool, state: str) -> None:
    world = Served(THREE)

    async def backend(request: Request) -> Response:
        assert not isinstance(request.body, bytes)
        async for _ in request.body:
            if not sent:
                break
        raise Overlong("x")

    world.otherwise = backend
    for _ in range(15):
        headers = [("authorization", f"Bearer {world.token()}")]
        asked = Request(
            "POST", b"/api/orders", "/api/orders", "", headers, "192.0.2.1", Script([b"x"])
        )
        assert (await world.gateway(asked)).status == 504
    assert set(world.states().values()) == {state}


async def test_what_was_asked_before_a_reload_is_judged_with_what_is_asked_after_it() -> None:
    unprobed = THREE.replace('.test"', '.test", health = ""')
    world = Served(unprobed)
    let_go = asyncio.Event()

    async def breaks_off(request: Request) -> Response:
        await let_go.wait()
        raise Broken

    world.backends["one.test"] = breaks_off
    asked = [asyncio.ensure_future(world.ask("/api/orders", {})) for _ in range(15)]
    await world.reached(15)
    config, _ = defaults(decode(CONFIG + unprobed, {}), {})
    before = world.gateway
    world.gateway = build(config, world.platform, before.report, before=before)
    let_go.set()
    assert sorted([(await one).status for one in asked]) == [200] * 10 + [502] * 5
    assert world.states()["http://one.test"] == "ejected"
    counts = world.counts["one.test"]
    for _ in range(30):
        assert (await world.get("/api/orders")).status == 200
    assert world.counts["one.test"] == counts
    world.platform.clock.advance(31.0)
    world.backends["one.test"] = world.otherwise
    for _ in range(30):
        await world.get("/api/orders")
    assert world.counts["one.test"] == counts + 10
