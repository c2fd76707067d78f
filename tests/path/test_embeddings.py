"""Whole embeddings requests: both faces, the cache text by text, batches, holds, other models never mixed in."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from penstock.config import decode, defaults
from penstock.errors import Broken, NotSent
from penstock.gateway import build
from penstock.ledger.decisions import explain
from penstock.ports import Vectors
from penstock.wire.http import JSON, Request, Response
from tests.path.product import BGE, EMBED, Product, close, vector
from tests.path.world import SECRET, World, body, usage

V1 = "/v1/embeddings"
SMALL_PRICE = 20_000_000
"""Nano-dollars a million tokens of text-embedding-3-small."""
OPENAI = f"""
[auth]
issuers = [{{ mode = "hs256", secret = "{SECRET}" }}]
[providers.one]
kind = "openai"
base_url = "http://one.test/v1"
max_batch = 3
[providers.two]
kind = "openai"
base_url = "http://two.test/v1"
[[targets]]
provider = "one"
model = "text-embedding-3-small"
verb = "embed"
[[targets]]
provider = "two"
model = "text-embedding-3-small"
verb = "embed"
[[targets]]
provider = "two"
model = "text-embedding-3-large"
verb = "embed"
[routes.embed]
verb = "embed"
targets = ["one/text-embedding-3-small", "two/text-embedding-3-large", "two/text-embedding-3-small"]
"""


def reply(request: Request, tokens: int = 1_000) -> Response:
    """OpenAI's, with so many tokens a text."""
    assert isinstance(request.body, bytes)
    asked = json.loads(request.body)
    texts = asked["input"]
    size = asked.get("dimensions", 4)
    rows = [{"index": i, "embedding": (vector(t) * size)[:size]} for i, t in enumerate(texts)]
    told = usage(tokens * len(texts), 0)
    return Response(200, [JSON], json.dumps({"data": rows, "usage": told}).encode())


class OpenAIWorld(World):
    """A world with two providers of the same model."""

    def __init__(self, upstream: Any = None, more: str = "", tokens: int = 1_000) -> None:
        answers = upstream or (lambda request: reply(request, tokens))
        super().__init__(answers, more=OPENAI + more, env={})

    async def embed(self, given: Any, **how: Any) -> Response:
        body = given if isinstance(given, dict) else {"model": "embed", "input": given}
        return await self.ask(V1, body, **how)

    @property
    def sent(self) -> list[tuple[str, dict[str, Any]]]:
        found = []
        for request in self.platform.fetch.requests:
            assert isinstance(request.body, bytes)
            found.append((request.target.decode().split("/")[2], json.loads(request.body)))
        return found

    async def run(self, given: Any) -> Response:
        """Asks while time passes, for retries that wait."""
        asked = asyncio.create_task(self.embed(given))
        while not asked.done():
            await self.platform.clock.run(1)
        return asked.result()


async def test_floats_and_base64_say_the_same() -> None:
    world = OpenAIWorld()
    floats = await body(await world.embed({"model": "embed", "input": ["hello"]}))
    packed = await body(
        await world.embed({"model": "embed", "input": "hello", "encoding_format": "base64"})
    )
    assert floats["object"] == "list"
    assert floats["model"] == "text-embedding-3-small"
    assert floats["usage"] == {"prompt_tokens": 1_000, "total_tokens": 1_000}
    assert floats["data"] == [
        {"object": "embedding", "index": 0, "embedding": close(vector("hello"))}
    ]
    raw = base64.b64decode(packed["data"][0]["embedding"], validate=True)
    assert struct.unpack("<4f", raw) == close(vector("hello"))
    # We ask upstream in our own way, whatever the caller asked for.
    assert len(world.sent) == 1


async def test_a_large_list_is_cut_into_calls_each_with_a_hold() -> None:
    world = OpenAIWorld()
    texts = [f"text {number}" for number in range(8)]
    response = await world.embed(texts)
    told = await body(response)
    assert [asked["input"] for _, asked in world.sent] == [texts[:3], texts[3:6], texts[6:]]
    assert [item["index"] for item in told["data"]] == list(range(8))
    assert [item["embedding"] for item in told["data"]] == [close(vector(t)) for t in texts]
    assert told["usage"]["total_tokens"] == 8_000
    assert await world.stages() == {"reserve": 3, "dispatched": 3, "settled": 3}
    assert response.header("x-penstock-cost-nanos") == str(8_000 * SMALL_PRICE // 10**6)
    request_id = response.header("x-request-id") or ""
    ids = {name for (name,) in await world.ledger("request_id")}
    assert ids == {request_id, f"{request_id}.1", f"{request_id}.2"}
    sent = [request.header("x-request-id") for request in world.platform.fetch.requests]
    assert sent == [f"{request_id}.1", f"{request_id}.1.1", f"{request_id}.2.1"]


async def test_a_cut_list_is_one_request_in_usage_and_in_its_story() -> None:
    world = OpenAIWorld()
    response = await world.embed(["a", "b", "c", "d", "e"])
    told = await body(await world.get("/v1/usage"))
    assert told["totals"]["requests"] == 1
    assert told["totals"]["tokens"] == 5_000
    story = await explain(world.platform.tables, response.header("x-request-id") or "")
    assert story is not None
    assert [step["stage"] for step in story["ledger"]].count("final") == 2


async def test_what_was_bought_before_a_failure_is_kept_and_billed() -> None:
    def upstream(request: Request) -> Response:
        if b'"d"' in (request.body if isinstance(request.body, bytes) else b""):
            raise Broken
        return reply(request)

    world = OpenAIWorld(upstream)
    response = await world.embed(["a", "b", "c", "d"])
    assert response.status == 502
    assert response.header("x-should-retry") == "false"
    assert await world.stages() == {"reserve": 2, "dispatched": 2, "settled": 1, "estimated": 1}
    again = await world.embed(["a", "b", "c"])
    assert again.header("x-penstock-cache") == "hit"


@pytest.mark.parametrize("dimensions", [1, 2, 1_536])
async def test_dimensions_reach_the_model_and_the_key(dimensions: int) -> None:
    world = OpenAIWorld()
    await world.embed("a")
    response = await world.embed({"model": "embed", "input": "a", "dimensions": dimensions})
    assert len((await body(response))["data"][0]["embedding"]) == dimensions
    assert world.sent[-1][1]["dimensions"] == dimensions
    assert response.header("x-penstock-cache") == "miss"


@pytest.mark.parametrize("dimensions", [0, -1, 1.5, "4", 70_000, True])
async def test_dimensions_that_are_none(dimensions: Any) -> None:
    world = OpenAIWorld()
    response = await world.embed({"model": "embed", "input": "a", "dimensions": dimensions})
    assert response.status == 400
    assert (await body(response))["error"]["param"] == "dimensions"
    assert world.sent == []


async def test_a_model_of_one_dimension_refuses_another() -> None:
    world = Product()
    refused = await world.ask(V1, {"model": BGE, "input": "a", "dimensions": 2})
    assert refused.status == 400
    assert (await body(refused))["error"]["param"] == "dimensions"
    assert (await world.ask(V1, {"model": BGE, "input": "a", "dimensions": 4})).status == 200
    assert len(world.sent) == 1
    assert (await world.stages()).get("settled") == 1
    assert (await world.stages()).get("estimated") is None


async def test_2049_inputs_are_too_many() -> None:
    world = OpenAIWorld()
    token = world.token(tier="enterprise")
    assert (await world.embed(["a"] * 2_048, token=token)).status == 200
    response = await world.embed(["a"] * 2_049, token=token)
    assert response.status == 400
    assert (await body(response))["error"]["code"] == "too_many_inputs"


async def test_another_models_vectors_are_never_mixed_in() -> None:
    def upstream(request: Request) -> Response:
        if b"one.test" in request.target:
            raise NotSent
        return reply(request)

    world = OpenAIWorld(upstream)
    response = await world.run(["a"])
    assert response.status == 200
    assert response.header("x-penstock-target") == "two/text-embedding-3-small"
    assert [(host, asked["model"]) for host, asked in world.sent] == [
        ("one.test", "text-embedding-3-small"),
        ("two.test", "text-embedding-3-small"),
    ]
    assert await world.stages() == {"reserve": 1, "dispatched": 2, "settled": 1}
    assert (await world.embed(["a"])).header("x-penstock-cache") == "hit"


async def test_all_targets_of_the_model_failing_is_a_failure_not_another_model() -> None:
    def refuses(request: Request) -> Response:
        raise NotSent

    world = OpenAIWorld(refuses)
    response = await world.run(["a"])
    assert response.status == 502
    assert {asked["model"] for _, asked in world.sent} == {"text-embedding-3-small"}
    assert (await world.stages())["released"] == 1


@pytest.mark.parametrize(
    "vectors",
    [[], [[0.5]] * 3, [["x"]] * 2, [None] * 2, [[]] * 2, [[1.0], [1.0, 2.0]], [[1e400], [0.5]]],
)
async def test_vectors_that_cannot_be_are_a_bad_gateway_and_stay_on_the_books(vectors: Any) -> None:
    def upstream(request: Request) -> Response:
        rows = [{"index": i, "embedding": one} for i, one in enumerate(vectors)]
        return Response(200, [JSON], json.dumps({"data": rows, "usage": usage(5, 0)}).encode())

    world = OpenAIWorld(upstream)
    response = await world.embed(["a", "b"])
    assert response.status == 502
    stages = await world.stages()
    assert (stages["reserve"], stages["estimated"]) == (1, 1)
    assert (await world.embed(["a", "b"])).header("x-penstock-cache") != "hit"


# The model in this process

LOCAL = f"""
[auth]
issuers = [{{ mode = "hs256", secret = "{SECRET}" }}]
[providers.home]
kind = "local"
path = "/models/mini-lm"
"""


class Lexicon:
    """A Runner whose vectors are the texts' own; says what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    async def embed(self, texts: Sequence[str]) -> Vectors:
        self.asked.append(list(texts))
        values = [vector(text) for text in texts]
        return Vectors("mini-lm", 4, values, sum(len(text.split()) for text in texts))

    async def run(self, model: str, request: Request) -> Response:
        raise AssertionError("a local model is not asked for by name")


def local_world(runner: Lexicon | None) -> World:
    world = World(more=LOCAL, env={})
    platform = replace(world.platform, runner=runner)
    config, _ = defaults(decode(LOCAL, {}), {})
    world.platform, world.gateway = platform, build(config, platform, lambda _, error: None)
    return world


async def test_a_local_model_embeds_for_nothing() -> None:
    runner = Lexicon()
    world = local_world(runner)
    response = await world.ask(EMBED, {"texts": ["one", "two words"]})
    told = await body(response)
    assert response.header("x-penstock-target") == "home/mini-lm"
    assert (told["provider"], told["totalTokens"], told["totalCost"]) == ("home", 3, 0)
    assert [item["model"] for item in told["embeddings"]] == ["mini-lm", "mini-lm"]
    again = await body(await world.ask(EMBED, {"texts": ["two words", "three"]}))
    assert again["cached"] == 1
    assert runner.asked == [["one", "two words"], ["three"]]
    assert world.platform.fetch.requests == []
    assert await world.stages() == {"reserve": 2, "dispatched": 2, "settled": 2}
    assert {amount for (amount,) in await world.ledger("amount_nanos")} == {0}


async def test_a_local_model_has_one_dimension() -> None:
    runner = Lexicon()
    world = local_world(runner)
    response = await world.ask(V1, {"model": "embed", "input": "a", "dimensions": 2})
    assert response.status == 400
    assert (await body(response))["error"]["param"] == "dimensions"
    assert runner.asked == []


async def test_a_local_model_that_is_not_loaded() -> None:
    response = await local_world(None).ask(EMBED, {"text": "a"})
    assert response.status == 503
    assert (await body(response))["error"] == "Service unavailable"
    assert response.header("retry-after")
