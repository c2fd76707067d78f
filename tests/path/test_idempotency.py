"""Idempotency-Key: the same bytes again, one call, and never a second charge."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from penstock.errors import NotSent, Unavailable
from penstock.gateway.idempotency import REPLAYED
from penstock.wire.http import Request, Response
from tests.path.test_charged_twice import Books, fails, told
from tests.path.test_embeddings import OpenAIWorld
from tests.path.world import Script, World, body, pieces, read, streamed, text_of, whole

DAY = 86_400.0
KEY = (("idempotency-key", "order-17"),)
EVENTS = [("content-type", "text/event-stream")]
OWN = {"x-request-id", REPLAYED, "ratelimit", "x-ratelimit-remaining-requests"}
"""Headers that each request has anew."""


def headers(response: Response) -> list[tuple[str, str]]:
    return [
        pair
        for pair in response.headers
        if pair[0] not in OWN and not pair[0].startswith("x-ratelimit-re")
    ]


async def code(response: Response) -> tuple[int, str]:
    found = await body(response)
    return response.status, found.get("code") or found["error"]["code"]


def calls(world: World) -> int:
    return len(world.platform.fetch.requests)


def numbered() -> Callable[[Request], Response]:
    """Another answer each time."""
    made = 0

    def answer(request: Request) -> Response:
        nonlocal made
        made += 1
        if b'"stream":true' in (request.body if isinstance(request.body, bytes) else b""):
            return streamed(pieces(f"answer {made}"))
        return whole(f"answer {made}")

    return answer


def gated(gate: asyncio.Event, answer: Callable[[], Response] = lambda: whole("late")) -> Any:
    async def upstream(request: Request) -> Response:
        await gate.wait()
        return answer()

    return upstream


NO_STORE = ("cache-control", "no-store")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/ai/chat/completions"])
async def test_the_same_bytes_again(path: str, stream: bool) -> None:
    world = World(numbered())
    how: dict[str, Any] = {"path": path, "stream": stream, "headers": [*KEY, NO_STORE]}
    first = await world.chat(**how)
    bytes_ = await read(first)
    assert b"answer 1" in bytes_
    for _ in range(3):
        world.platform.clock.advance(3_600)
        again = await world.chat(**how)
        assert (again.status, headers(again)) == (200, headers(first))
        assert again.header(REPLAYED) == first.header("x-request-id")
        assert again.header("x-request-id") != first.header("x-request-id")
        assert await read(again) == bytes_
    assert calls(world) == 1
    assert await world.stages() == {"reserve": 1, "dispatched": 1, "settled": 1}


async def test_one_message_and_embeddings_are_repeated_too() -> None:
    world = World(numbered())
    asked = [await world.ask("/api/ai/chat", {"message": "Hi"}, headers=KEY) for _ in range(2)]
    assert await read(asked[0]) == await read(asked[1])
    assert calls(world) == 1
    embedding = OpenAIWorld()
    for path, text in (("/v1/embeddings", "input"), ("/api/ai/embeddings", "texts")):
        before = calls(embedding)
        replies = [
            await read(
                await embedding.ask(
                    path, {text: ["a", "b"], "model": "embed"}, headers=[("idempotency-key", path)]
                )
            )
            for _ in range(2)
        ]
        assert replies[0] == replies[1]
        assert calls(embedding) == before + 1 - (path != "/v1/embeddings")


async def test_without_a_key_nothing_is_written() -> None:
    world = World()
    await read(await world.chat())
    assert await world.platform.tables.rows("select * from idempotency") == []
    assert await world.platform.tables.rows("select * from idempotency_dispatches") == []


async def test_a_hundred_at_once_are_one_call() -> None:
    gate = asyncio.Event()
    world = World(gated(gate))
    how: dict[str, Any] = {"token": world.token(tier="pro"), "headers": [*KEY, NO_STORE]}
    tasks = [asyncio.create_task(world.chat(**how)) for _ in range(100)]
    for _ in range(20):  # a hundred batches, one after another, where each takes a turn or two
        await world.platform.clock.run(0)
    done = [task for task in tasks if task.done()]
    assert len(done) == 99
    for task in done:
        assert task.result().header("retry-after") == "1"
        assert told(task.result()) == []
        assert await code(task.result()) == (409, "idempotency_in_flight")
    gate.set()
    (last,) = [await task for task in tasks if task not in done]
    data = await read(last)
    for _ in range(5):
        assert await read(await world.chat(**how)) == data
    assert calls(world) == 1


@pytest.mark.parametrize("in_flight", [False, True])
async def test_another_body_or_path_is_refused(in_flight: bool) -> None:
    gate = asyncio.Event()
    world = World(gated(gate))
    first = asyncio.create_task(world.chat(headers=KEY))
    await world.platform.clock.run(0)
    if not in_flight:
        gate.set()
        await read(await first)
    other = await world.chat("something else", headers=KEY)
    assert await code(other) == (422, "idempotency_key_reused")
    product = await world.chat(path="/api/ai/chat/completions", headers=KEY)
    assert await code(product) == (422, "idempotency_key_reused")
    gate.set()
    await read(await first)
    assert calls(world) == 1


async def test_a_key_is_its_owners_alone() -> None:
    world = World(numbered())
    for sub in ("alice", "bob"):
        response = await world.chat(headers=[*KEY, NO_STORE], token=world.token(sub))
        assert response.header(REPLAYED) is None
    tenant = world.token("alice", tenant="acme")
    response = await world.chat(headers=[*KEY, NO_STORE], token=tenant)
    assert response.header(REPLAYED) is None
    assert calls(world) == 3


async def test_another_credential_of_the_same_owner_is_the_same_caller() -> None:
    world = World(numbered())
    first = await read(await world.chat(headers=[*KEY, NO_STORE], token=world.token(jti="a")))
    again = await read(await world.chat(headers=[*KEY, NO_STORE], token=world.token(jti="b")))
    assert (first, calls(world)) == (again, 1)


async def test_a_day_later_the_key_is_new() -> None:
    world = World(numbered())
    await read(await world.chat(headers=[*KEY, NO_STORE]))
    world.platform.clock.advance(DAY)
    again = await read(await world.chat("another question", headers=[*KEY, NO_STORE]))
    assert b"answer 2" in again


async def test_what_is_over_is_swept() -> None:
    world = World()
    for number in range(5):
        await read(await world.chat(headers=[("idempotency-key", f"{number}")]))
    world.platform.clock.advance(DAY + 60)
    await read(await world.chat(headers=KEY))
    await world.platform.clock.run(0)
    for table in ("idempotency", "idempotency_dispatches"):
        ((count,),) = await world.platform.tables.rows(f"select count(*) from {table}")
        assert count <= 1


@pytest.mark.parametrize("key", ["", "x" * 256, "with space", "schlüssel", "tab\t", "null\0"])
async def test_a_key_that_is_none(key: str) -> None:
    world = World()
    response = await world.chat(headers=[("idempotency-key", key)])
    assert await code(response) == (400, "invalid_idempotency_key")
    assert calls(world) == 0


async def test_two_keys_are_refused() -> None:
    assert await code(await World().chat(headers=[*KEY, *KEY])) == (400, "duplicate_header")


# Refusals before anything was sent


async def test_a_refusal_leaves_the_key_free() -> None:
    world = World()
    bad = {"model": "auto", "messages": []}
    assert (await world.ask("/v1/chat/completions", bad, headers=KEY)).status == 400
    nobody = await world.chat(headers=KEY, token=None)
    assert nobody.status == 401
    unknown = await world.chat(headers=KEY, model="no-such-model")
    assert unknown.status == 404
    good = await world.chat(headers=KEY)
    assert (good.status, calls(world)) == (200, 1)


async def test_a_failure_that_surely_cost_nothing_leaves_it_free() -> None:
    world = World(fails(NotSent()))
    assert (await world.chat(headers=KEY)).status == 502
    world.platform.fetch.handler = lambda request: whole("now")
    assert (await world.chat(headers=KEY)).status == 200


async def test_a_token_rate_that_is_used_up_leaves_it_free() -> None:
    gate = asyncio.Event()
    world = World(gated(gate), "\n[tiers.slow]\ntokens_per_minute = 200\n")
    how: dict[str, Any] = {"token": world.token(tier="slow"), "max_tokens": 100}
    first = asyncio.create_task(world.chat("first", **how))
    await world.platform.clock.run(0)
    refused = await world.chat(**how, headers=KEY)
    assert await code(refused) == (429, "rate_limit_exceeded")
    gate.set()
    await read(await first)
    world.platform.clock.advance(60)
    good = await world.chat(**how, headers=KEY)
    assert (good.status, good.header(REPLAYED)) == (200, None)


async def test_an_error_reply_of_the_target_leaves_it_free() -> None:
    world = World(lambda request: Response(500, [], b"{}"))
    assert (await world.chat(headers=KEY)).status == 502
    world.platform.fetch.handler = lambda request: whole("now")
    assert (await world.chat(headers=KEY)).status == 200


async def test_books_out_of_reach_before_the_call() -> None:
    world = World()
    works = world.platform.tables.batch
    Books(world, "'reserve'", Unavailable())
    assert (await world.chat(headers=KEY)).status == 503
    world.platform.tables.batch = works  # type: ignore[method-assign]  # in reach again
    assert (await world.chat(headers=KEY)).status == 200
    assert calls(world) == 1


async def test_claims_out_of_reach() -> None:
    world = World()
    Books(world, "into idempotency ", Unavailable())
    assert (await world.chat(headers=KEY)).status == 503
    assert calls(world) == 0


# With the cache, and without a credential


async def test_a_hit_and_a_follower_keep_replies_of_their_own() -> None:
    gate = asyncio.Event()
    world = World(gated(gate))
    leads = asyncio.create_task(world.chat(headers=[("idempotency-key", "one")]))
    follows = asyncio.create_task(world.chat(headers=[("idempotency-key", "two")]))
    await world.platform.clock.run(0)
    gate.set()
    await read(await leads)
    data = await read(await follows)
    hit = await world.chat(headers=[("idempotency-key", "three")])
    assert hit.header("x-penstock-cache") == "hit"
    await read(hit)
    await world.ask("/admin/cache", method="DELETE", token=world.token(role="admin"))
    again = await world.chat(headers=[("idempotency-key", "two")])
    assert again.header(REPLAYED)
    assert await read(again) == data
    assert calls(world) == 1


async def test_a_follower_that_leaves_may_ask_again() -> None:
    gate = asyncio.Event()
    world = World(
        gated(gate, lambda: Response(200, EVENTS, Script(pieces("Hello")))),
    )
    leads = asyncio.create_task(world.chat(stream=True))
    await world.platform.clock.run(0)
    follows = asyncio.create_task(world.chat(stream=True, headers=KEY))
    await world.platform.clock.run(0)
    follows.cancel()
    await asyncio.wait([follows])
    gate.set()
    assert text_of(await read(await leads)) == "Hello"
    again = await world.chat(stream=True, headers=KEY)
    assert text_of(await read(again)) == "Hello"
    assert calls(world) == 1


OPEN = '\n[routes.open]\ntargets = ["cheap/gpt-4o-mini"]\nauth = "optional"\n'


async def test_an_anonymous_key_is_its_addresss() -> None:
    world = World(numbered(), OPEN)
    how: dict[str, Any] = {"model": "open", "token": None, "headers": [*KEY, NO_STORE]}
    first = await read(await world.chat(**how))
    assert await read(await world.chat(**how)) == first
    other = await world.chat(**how, client="192.0.2.9")
    assert b"answer 2" in await read(other)
    assert json.loads(first)["choices"]
