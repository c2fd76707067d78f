"""Embeddings on the product face, to the letter: one text, batches, what is found and what is missing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.path.product import BGE, EMBED, PER_WORD, Product, close, vector
from tests.path.world import body


async def test_one_text() -> None:
    world = Product()
    response = await world.ask(EMBED, {"text": "hello world"})
    told = await body(response)
    assert told == {
        "embedding": close(vector("hello world")),
        "tokens": 2 * PER_WORD,
        "cost": 0,
        "provider": "cloudflare",
        "model": "bge-base-en-v1.5",
    }
    assert response.header("x-penstock-target") == f"cloudflare/{BGE}"
    assert world.sent[0][1] == {"text": ["hello world"]}


async def test_the_same_text_again_is_a_hit() -> None:
    world = Product()
    first = await body(await world.ask(EMBED, {"text": "hello"}))
    again = await world.ask(EMBED, {"text": "hello"})
    assert await body(again) == first | {"cached": True, "cost": 0}
    assert again.header("x-penstock-cache") == "hit"
    assert again.header("x-penstock-cost-nanos") == "0"
    assert len(world.sent) == 1


async def test_a_batch() -> None:
    world = Product()
    response = await world.ask(EMBED, {"texts": ["one", "two words"]})
    told = await body(response)
    assert told.keys() == {"embeddings", "totalTokens", "totalCost", "provider", "cached"}
    assert (told["totalTokens"], told["totalCost"]) == (3 * PER_WORD, 0)
    assert (told["provider"], told["cached"]) == ("cloudflare", 0)
    assert [item["embedding"] for item in told["embeddings"]] == [
        close(vector("one")),
        close(vector("two words")),
    ]
    fields = {"embedding", "tokens", "cost", "provider", "model"}
    assert all(item.keys() == fields for item in told["embeddings"])
    assert sum(item["tokens"] for item in told["embeddings"]) == 3 * PER_WORD


async def test_a_batch_asks_for_what_is_missing_only() -> None:
    world = Product()
    await world.ask(EMBED, {"text": "b"})
    await world.ask(EMBED, {"texts": ["d", "e"]})
    response = await world.ask(EMBED, {"texts": ["a", "b", "c", "d", "b"]})
    told = await body(response)
    assert world.sent[-1][1] == {"text": ["a", "c"]}
    assert told["cached"] == 3
    assert [item.get("cached", False) for item in told["embeddings"]] == [
        False,
        True,
        False,
        True,
        True,
    ]
    assert [item["embedding"] for item in told["embeddings"]] == [close(vector(t)) for t in "abcdb"]
    assert told["totalTokens"] == 5 * PER_WORD
    assert response.header("x-penstock-cache") == "miss"
    counts = await body(await world.get("/admin/cache", token=world.token(role="admin")))
    assert counts["kinds"] == [{"kind": "embed", "hits": 3, "misses": 5}]


async def test_a_batch_of_one_is_still_a_batch() -> None:
    told = await body(await Product().ask(EMBED, {"texts": ["a"]}))
    assert len(told["embeddings"]) == 1


@pytest.mark.parametrize(("tier", "most"), [("free", 10), ("pro", 50), ("enterprise", 100)])
async def test_a_batch_has_its_tiers_size(tier: str, most: int) -> None:
    world = Product()
    token = world.token(tier=tier)
    assert (await world.ask(EMBED, {"texts": ["a"] * most}, token=token)).status == 200
    response = await world.ask(EMBED, {"texts": ["b"] * (most + 1)}, token=token)
    assert response.status == 400
    told = await body(response)
    assert (told["code"], told["param"]) == ("too_many_inputs", "texts")
    assert str(most) in told["detail"]
    assert len(world.sent) == 1


@pytest.mark.parametrize("given", [{}, {"text": ""}, {"texts": []}, {"text": None}, {"input": "a"}])
async def test_a_missing_text(given: dict[str, Any]) -> None:
    response = await Product().ask(EMBED, given)
    assert response.status == 400
    assert (await body(response))["error"] == "Missing text or texts"


@pytest.mark.parametrize(
    "given",
    [
        {"text": 5},
        {"texts": "a"},
        {"texts": ["a", 5]},
        {"texts": ["a", ""]},
        {"text": "a", "texts": ["b"]},
    ],
)
async def test_texts_that_are_none(given: dict[str, Any]) -> None:
    world = Product()
    assert (await world.ask(EMBED, given)).status == 400
    assert world.sent == []
    assert await world.ledger() == []


async def test_two_callers_never_share_vectors() -> None:
    world = Product()
    await world.ask(EMBED, {"text": "a"}, token=world.token("alice"))
    other = await world.ask(EMBED, {"text": "a"}, token=world.token("bob"))
    assert other.header("x-penstock-cache") == "miss"
    assert len(world.sent) == 2


async def test_vectors_are_kept_for_seven_days() -> None:
    world = Product()
    await world.ask(EMBED, {"text": "a"})
    world.platform.clock.advance(7 * 86_400 - 1)
    assert (await world.ask(EMBED, {"text": "a"})).header("x-penstock-cache") == "hit"
    world.platform.clock.advance(2)
    assert (await world.ask(EMBED, {"text": "a"})).header("x-penstock-cache") == "miss"


async def test_no_cache_and_no_store() -> None:
    world = Product()
    await world.ask(EMBED, {"text": "a"}, headers=[("cache-control", "no-store")])
    refreshed = await world.ask(EMBED, {"text": "a"}, headers=[("cache-control", "no-cache")])
    assert refreshed.header("x-penstock-cache") == "bypass"
    assert (await world.ask(EMBED, {"text": "a"})).header("x-penstock-cache") == "hit"
    assert len(world.sent) == 2
