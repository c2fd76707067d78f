"""Whole chat requests: from bytes in to bytes out, money and cache included."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from penstock.errors import Broken, NotSent, Unavailable
from penstock.wire.http import Request, Response
from tests.path.world import (
    DONE,
    USAGE_CHUNK,
    Script,
    World,
    body,
    chunk,
    payloads,
    pieces,
    read,
    streamed,
    text_of,
    whole,
)  # fmt: skip

PRICE = (10 * 150_000_000 + 5 * 600_000_000) // 10**6
"""What 10 and 5 tokens of gpt-4o-mini cost, in nano-dollars, by its public price of $0.15 and $0.60 a million."""


async def test_a_simple_ask_goes_to_the_cheap_target_and_is_settled() -> None:
    world = World()
    response = await world.chat("hello")
    assert response.status == 200
    assert (await body(response))["choices"][0]["message"]["content"] == "Hello!"
    assert response.header("x-penstock-target") == "cheap/gpt-4o-mini"
    assert response.header("x-penstock-cost-nanos") == str(PRICE)
    assert response.header("x-penstock-cache") == "miss"
    assert await world.stages() == {"reserve": 1, "dispatched": 1, "settled": 1}
    assert (await world.ledger("ended, amount_nanos"))[-1] == ("settled", PRICE)


async def test_a_complex_ask_goes_to_the_strong_target() -> None:
    world = World()
    response = await world.chat("Explain the trade-offs.")
    assert response.header("x-penstock-target") == "dear/gpt-4o"


async def test_the_target_gets_its_own_model_and_key_and_nothing_of_the_caller() -> None:
    world = World()
    await world.chat(
        "hello", headers=[("x-secret", "caller's"), ("cookie", "a=b")], metadata={"a": "b"}
    )
    (sent,) = world.platform.fetch.requests
    assert sent.target == b"http://cheap.test/v1/chat/completions"
    assert sent.header("authorization") == "Bearer sk-cheap"
    assert sent.header("x-secret") is None
    assert sent.header("cookie") is None
    assert isinstance(sent.body, bytes)
    said = json.loads(sent.body)
    assert said["model"] == "gpt-4o-mini"
    assert said["metadata"] == {"a": "b"}


async def test_the_second_time_it_comes_from_the_cache_and_costs_nothing() -> None:
    world = World()
    first = await read(await world.chat())
    again = await world.chat()
    assert again.header("x-penstock-cache") == "hit"
    assert again.header("x-penstock-cost-nanos") == "0"
    assert await read(again) == first
    assert len(world.platform.fetch.requests) == 1


async def test_a_kept_answer_replays_as_a_stream() -> None:
    world = World(lambda request: whole("Hello, world!"))
    await read(await world.chat())
    data = await read(await world.chat(stream=True, stream_options={"include_usage": True}))
    assert text_of(data) == "Hello, world!"
    *_, told, end = payloads(data)
    assert told["usage"]["total_tokens"] == 15
    assert end == "[DONE]"


async def test_a_stream_is_kept_and_served_whole() -> None:
    world = World(lambda request: streamed(pieces("Hel", "lo")))
    assert text_of(await read(await world.chat(stream=True))) == "Hello"
    again = await world.chat()
    assert again.header("x-penstock-cache") == "hit"
    assert (await body(again))["choices"][0]["message"]["content"] == "Hello"


async def test_two_users_never_share_an_answer() -> None:
    world = World()
    await world.chat(token=world.token("alice"))
    other = await world.chat(token=world.token("bob"))
    same_name = await world.chat(token=world.token("alice", tenant="other"))
    assert other.header("x-penstock-cache") == "miss"
    assert same_name.header("x-penstock-cache") == "miss"
    assert len(world.platform.fetch.requests) == 3


async def test_a_route_may_share_by_the_operators_choice() -> None:
    world = World(more="\n[routes.auto.cache]\nshared = true\n")
    await world.chat(token=world.token("alice"))
    other = await world.chat(token=world.token("bob"))
    assert other.header("x-penstock-cache") == "hit"


@pytest.mark.parametrize(
    "change",
    [{"temperature": 0.5}, {"model": "gpt-4o-mini"}, {"seed": 7}, {"made_up": 1}, {"n": 2}],
)
async def test_every_parameter_is_part_of_the_key(change: dict[str, Any]) -> None:
    world = World()
    await world.chat()
    assert (await world.chat(**change)).header("x-penstock-cache") == "miss"


@pytest.mark.parametrize(
    "reply",
    [
        whole("cut", "length"),
        whole("no", "content_filter"),
        whole(
            "",
            "tool_calls",
            tool_calls=[
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            ],
        ),
        whole("", "stop", refusal="I won't."),
    ],
)
async def test_partial_refused_and_tool_call_replies_are_never_kept(reply: Response) -> None:
    world = World(lambda request: reply)
    await world.chat()
    assert (await world.chat()).header("x-penstock-cache") == "miss"


async def test_no_cache_refreshes_and_no_store_keeps_nothing() -> None:
    texts = iter(["one", "two", "three"])
    world = World(lambda request: whole(next(texts)))
    await world.chat()
    refreshed = await world.chat(headers=[("cache-control", "no-cache")])
    assert refreshed.header("x-penstock-cache") == "bypass"
    assert (await body(await world.chat()))["choices"][0]["message"]["content"] == "two"
    await world.chat(headers=[("cache-control", "no-store")])
    assert (await body(await world.chat()))["choices"][0]["message"]["content"] == "two"


async def test_five_hundred_askers_at_once_make_one_call() -> None:
    called, arrived = asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> Response:
        called.set()
        await arrived.wait()
        return whole("once")

    world = World(slow, more="scale = 100\n")
    asks = [
        asyncio.create_task(world.chat(token=world.token(tier="enterprise"))) for _ in range(500)
    ]
    await called.wait()
    arrived.set()
    responses = await asyncio.gather(*asks)
    assert {response.status for response in responses} == {200}
    assert len(world.platform.fetch.requests) == 1
    assert [response.header("x-penstock-cache") for response in responses].count("miss") == 1
    assert (
        sum(int(response.header("x-penstock-cost-nanos") or 0) for response in responses) == PRICE
    )


async def test_followers_read_the_leaders_stream_and_outlive_it() -> None:
    gate = asyncio.Event()

    class Gated(Script):
        async def __anext__(self) -> bytes:
            if self.read == 2:
                await gate.wait()
            return await super().__anext__()

    script = Gated(pieces("Hel", "lo"))
    world = World(lambda request: Response(200, [("content-type", "text/event-stream")], script))
    leader = await world.chat(stream=True)
    follower = await world.chat(stream=True)
    assert not isinstance(leader.body, bytes)
    assert not isinstance(follower.body, bytes)
    await anext(leader.body)
    assert b"assistant" in await anext(follower.body)
    await leader.aclose()
    assert not script.closed
    gate.set()
    rest = await read(follower)
    assert text_of(rest) == "Hello"
    assert script.closed
    assert await world.stages() == {"reserve": 1, "dispatched": 1, "settled": 2}


async def test_an_unread_stream_is_closed_and_billed_at_the_most() -> None:
    script = Script(pieces("Hello"))
    world = World(lambda request: Response(200, [("content-type", "text/event-stream")], script))
    response = await world.chat(stream=True)
    await response.aclose()
    await response.aclose()
    assert script.closed
    assert await world.stages() == {"reserve": 1, "dispatched": 1, "estimated": 1}
    reserved, charged = [row[0] for row in await world.ledger("amount_nanos") if row[0]]
    assert 0 < charged <= reserved


async def test_a_stream_abandoned_halfway_is_billed_and_never_kept() -> None:
    world = World(lambda request: streamed(pieces("Hel", "lo")))
    response = await world.chat(stream=True)
    assert not isinstance(response.body, bytes)
    await anext(response.body)
    await response.aclose()
    assert (await world.stages())["estimated"] == 1
    assert (await world.chat(stream=True)).header("x-penstock-cache") == "miss"


async def test_usage_goes_only_to_who_asked_for_it() -> None:
    world = World(lambda request: streamed(pieces("Hello")))
    plain = payloads(await read(await world.chat("a", stream=True)))
    asked = payloads(
        await read(await world.chat("b", stream=True, stream_options={"include_usage": True}))
    )
    assert [one for one in plain if one != "[DONE]" and one.get("usage")] == []
    assert asked[-2]["usage"]["total_tokens"] == 15
    for sent in world.platform.fetch.requests:
        assert isinstance(sent.body, bytes)
        assert json.loads(sent.body)["stream_options"] == {"include_usage": True}


async def test_a_stream_that_breaks_ends_with_an_error_event_and_is_billed() -> None:
    world = World(lambda request: streamed([*pieces("Hel")[:2], Broken()]))
    data = await read(await world.chat(stream=True))
    *_, last = payloads(data)
    assert last["error"]["code"] == "upstream_broken"
    assert b"[DONE]" not in data
    assert (await world.stages())["estimated"] == 1


async def test_a_stream_without_done_ends_with_an_error_event() -> None:
    world = World(
        lambda request: streamed([chunk({"content": "Hel"}), chunk({}, "stop"), USAGE_CHUNK])
    )
    data = await read(await world.chat(stream=True))
    assert payloads(data)[-1]["error"]["type"] == "server_error"
    assert DONE not in data


async def test_a_refused_connection_fails_over_and_charges_once() -> None:
    def upstream(request: Request) -> Response:
        if b"cheap.test" in request.target:
            raise NotSent
        return whole("from the other")

    world = World(upstream)
    response = await world.chat("hello")
    assert response.status == 200
    assert response.header("x-penstock-target") == "dear/gpt-4o"
    assert await world.stages() == {"reserve": 1, "dispatched": 2, "settled": 1}


async def test_a_reset_after_a_sent_post_is_not_repeated_and_stays_on_the_books() -> None:
    def upstream(request: Request) -> Response:
        raise Broken from OSError("reset by peer 10.1.2.3")

    world = World(upstream)
    response = await world.chat("hello")
    assert response.status == 502
    assert response.header("x-should-retry") == "false"
    assert len(world.platform.fetch.requests) == 1
    assert b"10.1.2.3" not in await read(response)
    assert (await world.stages())["estimated"] == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_known_unprocessed_replies_fail_over_and_release_nothing_twice(status: int) -> None:
    world = World(lambda request: Response(status, [("content-type", "application/json")], b"{}"))
    task = asyncio.create_task(world.chat("hello"))
    while not task.done():
        await world.platform.clock.run(1)
    response = task.result()
    assert response.status == 502
    assert len(world.platform.fetch.requests) == 3
    assert (await world.stages())["released"] == 1


async def test_a_providers_refusal_of_the_body_is_the_callers_400_and_costs_nothing() -> None:
    world = World(
        lambda request: Response(
            400, [("content-type", "application/json")], b'{"error":{"message":"secret"}}'
        )
    )
    response = await world.chat("hello")
    assert response.status == 400
    assert b"secret" not in await read(response)
    assert (await world.stages())["released"] == 1


async def test_nobody_foresaw_this_and_the_caller_sees_no_more_than_an_id() -> None:
    def upstream(request: Request) -> Response:
        raise RuntimeError("password=hunter2")

    world = World(upstream)
    response = await world.chat("hello")
    data = await read(response)
    assert response.status == 500
    assert b"hunter2" not in data
    assert (response.header("x-request-id") or "").startswith("req_")
    assert len(world.reports) == 1
    assert (await world.stages())["estimated"] == 1


OPTIONAL = '\nauth = "optional"\n'


async def test_an_optional_route_opens_itself_and_no_other_name() -> None:
    world = World(more=OPTIONAL.join(["\n[routes.open]\ntargets = ['cheap/gpt-4o-mini']", ""]))
    assert (await world.chat(model="open", token=None)).status == 200
    for name in ("auto", "gpt-4o-mini", "dear/gpt-4o", "no-such-model"):
        refused = await world.chat(model=name, token=None)
        assert refused.status == 401, name
    assert len(world.platform.fetch.requests) == 1


async def test_an_answer_that_nothing_capped_is_estimated_at_all_it_can_have_been() -> None:
    world = World(lambda request: streamed(pieces("Hel", "lo")))
    response = await world.chat(stream=True)
    await response.aclose()
    found = await world.ledger("stage, output")
    # The dispatched row has the bound too, for whoever must estimate after a crash.
    assert [row for row in found if row[1]] == [("dispatched", 128_000), ("final", 128_000)]


async def test_a_cap_of_the_caller_bounds_the_estimate() -> None:
    world = World(lambda request: streamed(pieces("Hel", "lo")))
    response = await world.chat(stream=True, max_tokens=50)
    await response.aclose()
    found = [row for row in await world.ledger("stage, output") if row[1]]
    assert found == [("dispatched", 50), ("final", 50)]


async def test_a_caller_who_leaves_during_the_reserve_leaves_no_open_hold() -> None:
    world = World()
    batch, cut = world.platform.tables.batch, asyncio.Event()

    async def slow(*statements: Any) -> Any:
        done = await batch(*statements)
        if not cut.is_set():
            cut.set()
            await asyncio.Event().wait()
        return done

    world.platform.tables.batch = slow  # type: ignore[method-assign]  # commits, and never says so
    asking = asyncio.create_task(world.chat())
    await cut.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await world.stages() == {"reserve": 1, "dispatched": 1, "released": 1}


async def test_an_answer_goes_out_though_its_final_row_must_wait() -> None:
    world = World()
    batch, down = world.platform.tables.batch, [True]

    async def failing(*statements: Any) -> Any:
        if down[0] and any("'final'" in statement[0] for statement in statements):
            raise Unavailable
        return await batch(*statements)

    world.platform.tables.batch = failing  # type: ignore[method-assign]  # the books are out of reach
    assert (await world.chat()).status == 200
    down[0] = False
    await world.platform.clock.run(2)
    assert (await world.stages())["settled"] == 1
