"""Workers AI's models where they are bound to the platform: asked for by name, without account or key."""

from __future__ import annotations

import json
from dataclasses import replace

from penstock.config import decode, defaults
from penstock.errors import Stalled
from penstock.gateway import build
from penstock.platforms.memory.runner import FakeRunner
from penstock.wire.http import Request, Response
from tests.path.world import SECRET, World, body

LLAMA = "@cf/meta/llama-3.1-8b-instruct-fp8-fast"
BOUND = f"""
platform = "cloudflare"
[auth]
issuers = [{{ mode = "hs256", secret = "{SECRET}" }}]
"""
REST = (
    BOUND
    + """
[providers.mine]
kind = "workers_ai"
account = "acc"
api_key = "key"
"""
)


def told(request: Request) -> Response:
    usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
    return Response(200, (), json.dumps({"response": "Hello!", "usage": usage}).encode())


def bound_world(runner: FakeRunner | None, more: str = BOUND) -> World:
    world = World(more=more, env={})
    platform = replace(world.platform, runner=runner)
    config, _ = defaults(decode(more, {}), {})
    world.platform, world.gateway = platform, build(config, platform, lambda _, error: None)
    return world


async def test_the_input_is_the_requests_body() -> None:
    runner = FakeRunner(told)
    world = bound_world(runner)
    response = await world.chat("hello", model=f"cloudflare/{LLAMA}", temperature=0)
    assert (await body(response))["choices"][0]["message"]["content"] == "Hello!"
    [(model, request)] = runner.runs
    given = json.loads(await request.read(10_000))
    assert (model, given["messages"][0]["content"], given["temperature"]) == (LLAMA, "hello", 0)
    assert request.timeouts is not None
    assert world.platform.fetch.requests == []
    assert await world.stages() == {"reserve": 1, "dispatched": 1, "settled": 1}


async def test_the_first_designs_models_have_living_ones_in_their_place() -> None:
    runner = FakeRunner(told)
    await bound_world(runner).chat("hello", model="@cf/mistral/mistral-7b-instruct-v0.1")
    assert [model for model, _ in runner.runs] == [LLAMA]


async def test_a_model_that_stalls_may_have_been_billed() -> None:
    def stall(_: Request) -> Response:
        raise Stalled

    world = bound_world(FakeRunner(stall))
    response = await world.chat("hello")
    assert response.status == 504
    assert await world.stages() == {"reserve": 1, "dispatched": 1, "estimated": 1}


async def test_without_a_binding_nothing_is_spent() -> None:
    world = bound_world(None)
    response = await world.chat("hello")
    assert response.status == 503
    assert "settled" not in await world.stages()


async def test_an_account_is_reached_over_rest() -> None:
    runner = FakeRunner(told)
    world = bound_world(runner, REST)
    await world.chat("hello", model=f"mine/{LLAMA}")
    assert runner.runs == []
    [request] = world.platform.fetch.requests
    assert request.target.endswith(f"/accounts/acc/ai/run/{LLAMA}".encode())


async def test_no_call_has_more_texts_than_the_bound_models_take() -> None:
    def vectors(request: Request) -> Response:
        assert isinstance(request.body, bytes)
        texts = json.loads(request.body)["text"]
        assert len(texts) <= 100
        return Response(200, (), json.dumps({"data": [[0.5] * 768 for _ in texts]}).encode())

    plain = (
        BOUND + '[providers.cloudflare]\nkind = "workers_ai"\n[tiers.free]\nembedding_batch = 250\n'
    )
    runner = FakeRunner(vectors)
    world = bound_world(runner, plain)
    texts = [f"text {number}" for number in range(250)]
    response = await world.ask("/v1/embeddings", {"model": "embed", "input": texts})
    assert len((await body(response))["data"]) == 250
    assert len(runner.runs) == 3
