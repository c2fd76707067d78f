"""Repeats at a target that recognises them: one key, and no attempt of unknown outcome is ever forgotten."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from penstock.errors import Broken, NotSent
from penstock.wire.http import JSON, Request, Response
from tests.path.test_embeddings import reply as vectors
from tests.path.world import SECRET, World, whole

CONFIG = f"""
[auth]
issuers = [{{ mode = "hs256", secret = "{SECRET}" }}]
[providers.sure]
kind = "openai"
base_url = "http://sure.test/v1"
idempotent = true
max_batch = 2
[providers.other]
kind = "openai"
base_url = "http://other.test/v1"
[[targets]]
provider = "sure"
model = "gpt-4o"
[[targets]]
provider = "sure"
model = "gpt-4o-mini"
[[targets]]
provider = "other"
model = "gpt-4o-mini"
[[targets]]
provider = "sure"
model = "text-embedding-3-small"
verb = "embed"
[routes.auto]
targets = ["sure/gpt-4o"]
[routes.two]
targets = ["sure/gpt-4o", "sure/gpt-4o-mini"]
[routes.twice]
targets = ["sure/gpt-4o", "sure/gpt-4o", "other/gpt-4o-mini"]
[routes.embed]
verb = "embed"
targets = ["sure/text-embedding-3-small"]
"""
BUSY = Response(503, [JSON], b"{}")


def world(*answers: Any) -> World:
    """A world whose upstream gives these in turn; an error is raised."""
    left: Iterator[Any] = iter(answers)

    def upstream(request: Request) -> Any:
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer

    return World(upstream, more=CONFIG, env={})


async def ask(world: World, model: str = "auto", **body: Any) -> Response:
    """A chat, or embeddings of an `input`, while time passes."""
    asking = (
        world.ask("/v1/embeddings", {"model": "embed", **body})
        if body
        else world.chat("hello", model=model)
    )
    task = asyncio.create_task(asking)
    while not task.done():
        await world.platform.clock.run(1)
    return task.result()


def keys(world: World) -> list[str | None]:
    return [request.header("idempotency-key") for request in world.platform.fetch.requests]


async def ends(world: World) -> list[tuple[Any, ...]]:
    return [row for row in await world.ledger("ended, target, output, amount_nanos") if row[0]]


@pytest.mark.parametrize("first", [Broken(), BUSY])
async def test_each_attempt_at_a_target_carries_the_same_key(first: Any) -> None:
    asked = world(first, Broken(), whole("at last"))
    response = await ask(asked)
    assert response.status == 200
    sent = keys(asked)
    assert len(sent) == 3
    assert len(set(sent)) == 1
    assert (sent[0] or "").startswith(response.header("x-request-id") or "-")
    names = [request.header("x-request-id") for request in asked.platform.fetch.requests]
    assert len(set(names)) == 3
    assert await asked.stages() == {"reserve": 1, "dispatched": 3, "settled": 1}


async def test_the_embeddings_calls_of_one_request_have_a_key_each() -> None:
    asked = world(Broken(), vectors, Broken(), vectors)
    assert (await ask(asked, input=["a", "b", "c"])).status == 200
    sent = keys(asked)
    assert sent[0] == sent[1] != sent[2] == sent[3]


async def test_another_model_of_the_same_provider_has_another_key() -> None:
    asked = world(BUSY, BUSY, whole("at last"))
    assert (await ask(asked, "two")).status == 200
    bodies = [await request.read(1_000) for request in asked.platform.fetch.requests]
    models = [json.loads(body)["model"] for body in bodies]
    assert models == ["gpt-4o", "gpt-4o-mini", "gpt-4o"]
    sent = keys(asked)
    assert sent[0] == sent[2] != sent[1]


async def test_two_requests_never_share_a_key() -> None:
    asked = world(whole("one"), whole("two"))
    await ask(asked)
    await asked.chat("another")
    assert len(set(keys(asked))) == 2


async def test_a_provider_that_does_not_know_repeats_gets_no_key() -> None:
    plain = World()
    await plain.chat()
    assert keys(plain) == [None]


@pytest.mark.parametrize("last", [BUSY, NotSent(), Response(400, [JSON], b"{}")])
async def test_a_later_failure_does_not_forget_an_unknown_outcome(last: Any) -> None:
    asked = world(Broken(), last, last)
    response = await ask(asked)
    assert response.header("x-should-retry") == "false"
    reserved = (await asked.ledger("amount_nanos"))[0][0]
    assert [(row[0], row[3]) for row in await ends(asked)] == [("estimated", reserved)]


async def test_followers_are_told_too_that_it_may_have_been_charged() -> None:
    asked = world(Broken(), BUSY, BUSY)
    tasks = [asyncio.create_task(asked.chat("hello", model="auto")) for _ in range(3)]
    while not all(task.done() for task in tasks):
        await asked.platform.clock.run(1)
    assert len(asked.platform.fetch.requests) == 3
    assert {task.result().header("x-should-retry") for task in tasks} == {"false"}


async def test_all_attempts_surely_unprocessed_are_released() -> None:
    asked = world(BUSY, NotSent(), BUSY)
    response = await ask(asked)
    assert response.header("x-should-retry") is None
    assert [row[0] for row in await ends(asked)] == ["released"]


async def test_after_an_unknown_outcome_no_other_target_is_tried() -> None:
    asked = world(Broken(), BUSY, whole("from the other"))
    response = await ask(asked, "twice")
    assert response.status == 502
    assert len(asked.platform.fetch.requests) == 2
    assert [row[:2] for row in await ends(asked)] == [("estimated", "sure/gpt-4o")]


async def test_what_was_settled_at_last_is_charged_once() -> None:
    asked = world(Broken(), whole("at last"))
    assert (await ask(asked)).status == 200
    ((ended, _, output, _),) = await ends(asked)
    assert (ended, output) == ("settled", 5)
