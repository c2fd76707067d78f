"""Fields of `/v1/embeddings` beside text and model: to who can express them unchanged and into the key, else refused."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.wire.chat import FORBIDDEN
from tests.path.product import BGE, Product
from tests.path.test_embeddings import V1, Lexicon, OpenAIWorld, local_world
from tests.path.world import SECRET, World, body

NESTED = {"deep": [1, None, {"er": "ü"}]}
HASHED = f"""
[auth]
issuers = [{{ mode = "hs256", secret = "{SECRET}" }}]
"""


@pytest.mark.parametrize(
    "more",
    [
        {"made_up": 1},
        {"made_up": NESTED, "another": False},
        {"made_up": None},
        {"user": "u-1"},
        {"user": "u-1", "dimensions": 2, "input_type": "query"},
    ],
)
async def test_they_reach_an_openai_kind_target_unchanged_and_the_key(more: dict[str, Any]) -> None:
    world = OpenAIWorld()
    await world.embed(["a"])
    response = await world.embed({"model": "embed", "input": "a", **more})
    assert response.header("x-penstock-cache") == "miss"
    _, sent = world.sent[-1]
    ours = {"model": "text-embedding-3-small", "input": ["a"], "encoding_format": "float"}
    assert sent == ours | more
    again = await world.embed({"model": "embed", "input": "a", **more})
    assert again.header("x-penstock-cache") == "hit"


async def test_a_known_field_that_is_null_is_none() -> None:
    world = OpenAIWorld()
    await world.embed(["a"])
    given = {"model": "embed", "input": "a", "user": None, "dimensions": None}
    assert (await world.embed(given)).header("x-penstock-cache") == "hit"


async def refused(world: World, more: dict[str, Any], name: str, **how: Any) -> None:
    """Asserts a 400 that names the field, and that nothing was sent or written for it."""
    response = await world.ask(V1, {"model": "embed", "input": "a", **more}, **how)
    assert response.status == 400
    told = (await body(response))["error"]
    codes = {"dimensions": "unsupported_parameter"} | dict.fromkeys(FORBIDDEN, "forbidden_field")
    assert told["code"] == codes.get(name, "unsupported_field")
    assert told["param"] == name
    assert name in told["message"]
    assert world.platform.fetch.requests == []
    assert await world.ledger() == []


@pytest.mark.parametrize(
    ("more", "name"),
    [({"made_up": 1}, "made_up"), ({"user": "u", "seed": None}, "seed"), ({"dimensions": 2}, "dimensions")],
)  # fmt: skip
async def test_a_target_without_words_for_one_refuses_it_by_name(
    more: dict[str, Any], name: str
) -> None:
    await refused(Product(), more, name)
    runner = Lexicon()
    await refused(local_world(runner), more, name)
    assert runner.asked == []


async def test_hashed_vectors_know_lengths_only() -> None:
    await refused(World(more=HASHED, env={}), {"made_up": 1}, "made_up")
    world = World(more=HASHED, env={})
    response = await world.ask(V1, {"model": "embed", "input": "a", "dimensions": 8, "user": "u"})
    assert len((await body(response))["data"][0]["embedding"]) == 8


@pytest.mark.parametrize("name", sorted(FORBIDDEN))
async def test_fields_that_would_steer_the_call_are_refused_always(name: str) -> None:
    await refused(OpenAIWorld(), {name: "x", "made_up": 1}, name)


async def test_user_only_labels_a_request() -> None:
    world = Product()
    response = await world.ask(V1, {"model": "embed", "input": "a", "user": "u-1", "dimensions": 4})
    assert response.status == 200
    assert world.sent[-1][1] == {"text": ["a"]}
    assert (await local_world(Lexicon()).ask(V1, {"model": "embed", "input": "a", "user": "u"})).status == 200  # fmt: skip


MIXED = f"""
[auth]
issuers = [{{ mode = "hs256", secret = "{SECRET}" }}]
[providers.cloudflare]
kind = "workers_ai"
base_url = "http://cloudflare.test/client/v4"
account = "acc"
api_key = "cf-key"
[providers.mirror]
kind = "openai"
base_url = "http://mirror.test/v1"
[[targets]]
provider = "cloudflare"
model = "{BGE}"
verb = "embed"
dimension = 4
[[targets]]
provider = "mirror"
model = "{BGE}"
verb = "embed"
[routes.embed]
verb = "embed"
targets = ["cloudflare/{BGE}", "mirror/{BGE}"]
"""


async def test_the_targets_that_can_express_it_take_it() -> None:
    world = Product(config=MIXED)
    world.platform.fetch.handler = OpenAIWorld().platform.fetch.handler
    response = await world.ask(V1, {"model": "embed", "input": "a", "made_up": 1})
    assert response.header("x-penstock-target") == f"mirror/{BGE}"
    assert world.sent[-1][1]["made_up"] == 1


async def test_the_product_face_ignores_them_as_before() -> None:
    world = Product()
    response = await world.ask("/api/ai/embeddings", {"text": "a", "made_up": 1, "dimensions": 2})
    assert response.status == 200
