"""More than the gateway keeps up with: who is refused, how, at what price, and whose slot comes back when."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Awaitable
from typing import Any

import pytest

from penstock.config import decode, defaults
from penstock.gateway import build
from penstock.gateway.admission import CALM, Admission
from penstock.gateway.routes import ROUTES
from penstock.wire.http import Request, Response
from tests.path.world import CONFIG, World, body, pieces, read, streamed

TEN = "\n[server]\nmax_concurrent = 10\n"
CALLERS = 100_000
MOST_KEYS = 5_000
"""Instead of 262,144, so that the bound is reached."""


def slots(world: World) -> Admission:
    return world.gateway.lasting.admission


def full(more: str = "") -> World:
    """A gateway of ten slots, of which eight are taken and two are the operator's."""
    world = World(more=TEN + more)
    for _ in range(8):
        assert slots(world).begin(False)
    return world


async def waited(world: World, asking: Awaitable[Response]) -> Response:
    """The reply to a request that waits, once its second is over."""
    task = asyncio.ensure_future(asking)
    await world.platform.clock.run(1.1)
    return await task


async def test_an_openai_caller_is_told_in_openais_form() -> None:
    world = full()
    response = await waited(world, world.chat())
    assert response.status == 503
    assert response.header("retry-after") in ("2", "3", "4")
    assert response.header("x-should-retry") is None
    assert (response.header("x-request-id") or "").startswith("req_")
    told = (await body(response))["error"]
    assert (told["code"], told["type"]) == ("overloaded", "server_error")
    assert "retry-after" in told["message"]


async def test_others_are_told_by_a_problem() -> None:
    world = full()
    response = await waited(world, world.chat(path="/api/ai/chat/completions"))
    told = await body(response)
    assert (response.status, told["code"]) == (503, "overloaded")
    assert response.header("content-type") == "application/problem+json"


async def test_a_refusal_comes_before_anything_is_known_or_read() -> None:
    world = full()

    class Unread:
        async def __anext__(self) -> bytes:
            raise AssertionError("the body was read")

        def __aiter__(self) -> Any:
            return self

        async def aclose(self) -> None: ...

    forged = [("authorization", "Bearer not-even-a-token")]
    request = Request("POST", b"/v1/chat/completions", "/v1/chat/completions", "", forged)
    request.body = Unread()
    response = await waited(world, world.gateway(request))
    assert (response.status, request.notes["error"]) == (503, "overloaded")
    assert "caller" not in request.notes
    assert await world.ledger() == []


async def test_who_waited_and_got_a_slot_notices_nothing() -> None:
    world = World(more=TEN)
    leaves = [slots(world).begin(False) for _ in range(8)]
    asking = asyncio.ensure_future(world.chat())
    await world.platform.clock.run(0.3)
    assert not asking.done()
    assert leaves[0]
    leaves[0]()
    assert (await asking).status == 200


@pytest.mark.parametrize("path", ["/", "/health", "/livez", "/readyz", "/docs", "/metrics"])
async def test_probes_and_metrics_take_no_slot(path: str) -> None:
    world = full()
    for _ in range(2):
        assert slots(world).begin(True)
    token = world.token("root", role="admin")
    assert (await world.get(path, token=token)).status == 200


async def test_the_operator_has_slots_of_their_own() -> None:
    world = full()
    token = world.token("root", role="admin")
    assert (await world.get("/admin/usage", token=token)).status == 200
    assert (await waited(world, world.chat())).status == 503


def test_every_admin_path_is_the_operators() -> None:
    for path, methods in ROUTES.items():
        for endpoint in methods.values():
            assert (endpoint.slot == "first") == path.startswith("/admin/")


async def test_a_slot_comes_back_with_every_kind_of_reply() -> None:
    world = World(more=TEN)
    for _ in range(30):
        assert (await world.chat()).status == 200
        assert (await world.chat(model="no-such-model")).status == 404
        assert (await world.ask("/v1/chat/completions", b"{", token=None)).status in (400, 401)
        assert (await world.get("/v1/models")).status == 200
    assert slots(world).running == 0


async def test_a_stream_has_its_slot_until_it_is_closed() -> None:
    world = World(lambda _: streamed(pieces("Hel", "lo")), more=TEN)
    response = await world.chat(stream=True)
    assert slots(world).running == 1
    await read(response)
    assert slots(world).running == 0
    await response.aclose()
    assert slots(world).running == 0


async def test_so_has_one_that_is_never_read_or_left() -> None:
    world = World(lambda _: streamed(pieces("Hel", "lo")), more=TEN)
    unread = await world.chat("a", stream=True)
    left = await world.chat("b", stream=True)
    assert not isinstance(left.body, bytes)
    await anext(left.body)
    assert slots(world).running == 2
    await unread.aclose()
    await left.aclose()
    assert slots(world).running == 0


async def test_a_caller_who_leaves_gives_the_slot_back() -> None:
    begun = asyncio.Event()

    async def slow(request: Request) -> Response:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    world = World(slow, more=TEN)
    asking = asyncio.ensure_future(world.chat())
    await begun.wait()
    assert slots(world).running == 1
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert slots(world).running == 0


async def test_the_metrics_and_readiness_say_so() -> None:
    world = full()
    token = world.token("root", role="admin")
    asking = asyncio.ensure_future(world.chat())
    await asyncio.sleep(0)
    assert (await body(await world.get("/readyz")))["parts"]["slots"] == "used up"
    assert (await world.get("/readyz")).status == 200
    lines = (await read(await world.get("/metrics", token=token))).decode().splitlines()
    assert "penstock_running_requests 8" in lines
    assert "penstock_waiting_requests 1" in lines
    assert (await waited(world, asking)).status == 503
    lines = (await read(await world.get("/metrics", token=token))).decode().splitlines()
    assert "penstock_overloaded_total 1" in lines
    assert (await body(await world.get("/readyz")))["parts"]["slots"] == "ok"


async def test_a_reload_keeps_the_slots_that_are_taken() -> None:
    world = full()
    config, _ = defaults(decode(CONFIG + "\n[server]\nmax_concurrent = 20\n", {}), {})
    before = world.gateway
    after = world.gateway = build(config, world.platform, before.report, before.edge, before)
    assert slots(world).running == 8
    assert (await world.chat()).status == 200
    assert after.lasting.admission is before.lasting.admission


async def test_bodies_beyond_the_room_are_refused_unread() -> None:
    world = World(lambda _: streamed(pieces("Hi")), more="\n[server]\nmax_bodies_bytes = 50_000\n")
    bodies = world.gateway.lasting.bodies
    first = await large(world, 40_000)
    assert bodies.held == 40_000
    refused = await large(world, 40_000)
    assert (refused.status, (await body(refused))["error"]["code"]) == (503, "overloaded")
    small = await world.chat(stream=True)  # finds room
    assert small.status == 200
    await read(small)
    await read(first)
    assert bodies.held == 0


async def large(world: World, size: int) -> Response:
    """A chat stream whose body of that size is still arriving."""
    start = json.dumps({"model": "auto", "stream": True, "messages": []})[:-2].encode()
    start += b'{"role": "user", "content": "'
    data = start.ljust(size - 4, b"x") + b'"}]}'

    class Arriving:
        def __init__(self) -> None:
            self.parts = [data]

        def __aiter__(self) -> Any:
            return self

        async def __anext__(self) -> bytes:
            if not self.parts:
                raise StopAsyncIteration
            return self.parts.pop()

        async def aclose(self) -> None: ...

    headers = [("authorization", f"Bearer {world.token()}"), ("content-length", str(size))]
    return await world.gateway(
        Request("POST", b"/v1/chat/completions", "/v1/chat/completions", "", headers, "", Arriving())
    )  # fmt: skip


async def test_a_burst_of_streams_is_let_in_whole() -> None:
    """More than are measured at once, in a loop that is in time: nobody waits, nobody is refused."""
    world = World(lambda _: streamed(pieces("Hi")))
    tokens = [world.token(f"sub-{number}") for number in range(CALM * 4)]
    replies = [await world.chat("hi", stream=True, token=token) for token in tokens]
    assert {reply.status for reply in replies} == {200}
    assert slots(world).running == len(replies)
    for reply in replies:
        await read(reply)
    assert (slots(world).running, slots(world).refused) == (0, 0)
    await world.platform.clock.run(2)


async def test_a_hundred_thousand_callers_are_held_by_bounded_counts() -> None:
    """Each comes once, by a token of their own, through the whole gateway."""
    world = World()
    meter = world.platform.meter
    meter._most_keys = MOST_KEYS
    half = await objects_after(world, range(CALLERS // 2))
    whole = await objects_after(world, range(CALLERS // 2, CALLERS))
    assert whole < half * 1.02
    assert 0 < max(shelf.size for shelf in meter._logs.values()) <= 2 * MOST_KEYS
    await world.platform.clock.run(2)


async def objects_after(world: World, callers: range) -> int:
    """What the collector sees once they have all been served."""
    for number in callers:
        response = await world.get("/v1/models", token=world.token(f"sub-{number}"))
        assert response.status == 200
    gc.collect()
    return len(gc.get_objects())


async def test_a_refused_body_is_let_go_without_the_collector() -> None:
    """A cycle through the error's frames would hold each refused body until the collector comes, which is late here."""
    world = World(more=TEN)
    asked = {"model": "auto", "messages": [{"role": "user", "content": "x" * 900_000}]}
    for _ in range(2):
        assert (await world.ask("/v1/chat/completions", asked)).status == 400
    gc.collect()
    gc.disable()
    try:
        response = await world.ask("/v1/chat/completions", asked)
        assert (await body(response))["error"]["code"] == "context_length_exceeded"
        assert gc.collect() == 0
    finally:
        gc.enable()
