"""What was used and what it cost, as the product face tells it; the free neurons of Workers AI."""

from __future__ import annotations

import pytest

from penstock.wire.http import Response
from tests.path.product import EMBED, SMALL, Product
from tests.path.world import SECRET, World, body

NEURON = 11_000
IN_NEURONS, OUT_NEURONS = 1_542, 10_158
"""Neurons a million tokens of SMALL: its public price."""
FREE_MICRO = 10_000 * 10**6


# Usage


async def test_usage_is_the_callers_own() -> None:
    world = Product()
    await world.say("Explain this.")
    await world.say("Explain this.")
    await world.say("hello")
    await world.ask(EMBED, {"text": "one two"})
    await world.say("Explain this.", token=world.token("bob"))
    response = await world.get("/api/usage")
    told = await body(response)
    assert response.header("x-ratelimit-limit") == "200"
    fields = {"period", "service", "provider", "model", "requests", "tokens", "cost", "cached"}
    assert told.keys() == {"rows", "totals"}
    assert all(fields <= row.keys() for row in told["rows"])
    by_model = {(row["service"], row["model"]): row for row in told["rows"]}
    cost = (10 * 2_500_000_000 + 5 * 10_000_000_000) / 10**6 / 10**9
    strong = by_model["chat", "gpt-4o"]
    assert strong["period"] == "2027-01-15"
    assert strong["provider"] == "openai"
    assert (strong["requests"], strong["tokens"], strong["cached"]) == (2, 15, 1)
    assert strong["cost"] == pytest.approx(cost, abs=1e-12)
    small = by_model["chat", SMALL]
    assert (small["provider"], small["requests"], small["cost"]) == ("cloudflare", 1, 0)
    assert by_model["embeddings", "@cf/baai/bge-base-en-v1.5"]["tokens"] == 2_000
    totals = told["totals"]
    assert (totals["requests"], totals["tokens"], totals["cached"]) == (4, 2_030, 1)
    assert totals["cost"] == pytest.approx(cost, abs=1e-12)
    assert await body(await world.get("/v1/usage")) == told
    everyone = await body(await world.get("/admin/usage", token=world.token(role="admin")))
    assert everyone["totals"]["requests"] == 5


@pytest.mark.parametrize(
    ("by", "kept"),
    [("hour", {"period", "service", "provider", "model"}), ("day", {"period", "model"}),
     ("model", {"service", "provider", "model"}), ("service", {"service"})],
)  # fmt: skip
async def test_usage_by(by: str, kept: set[str]) -> None:
    world = Product()
    await world.say("hello")
    (row,) = (await body(await world.get("/api/usage", f"by={by}")))["rows"]
    assert all(row[name] for name in kept)
    assert ("T" in row["period"]) == (by == "hour")


async def test_usage_between() -> None:
    world = Product()
    await world.say("early")
    world.platform.clock.advance(86_400)
    await world.say("late")
    for query, requests in (
        ("from=2027-01-15&to=2027-01-15", 1),
        ("from=2027-01-16", 1),
        ("from=2027-01-15", 2),
        ("from=2027-01-15T00:00:00Z&to=2027-01-15T01:00:00Z", 0),
    ):
        told = await body(await world.get("/api/usage", query))
        assert told["totals"]["requests"] == requests, query


@pytest.mark.parametrize(
    "query", ["by=user", "by=", "from=yesterday", "from=2027-02-01&to=2027-01-01", "of=bob"]
)
async def test_usage_that_cannot_be_asked(query: str) -> None:
    assert (await Product().get("/api/usage", query)).status == 400


# Free neurons


def micro(tokens: tuple[int, int]) -> int:
    return tokens[0] * IN_NEURONS + tokens[1] * OUT_NEURONS


async def test_only_what_is_beyond_the_free_neurons_is_charged() -> None:
    world = Product()
    world.tokens = (6_000_000, 0)
    first = await body(await world.say("one"))
    assert first["cost"] == 0
    used = micro(world.tokens)
    assert used < FREE_MICRO < 2 * used
    second = await world.say("two")
    beyond = 2 * used - FREE_MICRO
    nanos = -(-beyond * NEURON // 10**6)
    assert second.header("x-penstock-cost-nanos") == str(nanos)
    assert (await body(second))["cost"] == nanos / 10**9
    third = await world.say("three")
    assert third.header("x-penstock-cost-nanos") == str(-(-used * NEURON // 10**6))
    settled = [row for row in await world.ledger("ended, amount_nanos") if row[0]]
    assert sum(amount for _, amount in settled) == nanos + -(-used * NEURON // 10**6)


async def test_the_neurons_are_free_again_the_next_day() -> None:
    world = Product()
    world.tokens = (7_000_000, 0)
    assert (await body(await world.say("one")))["cost"] > 0
    world.platform.clock.advance(86_400)
    token = world.token()
    world.tokens = (100, 100)
    assert (await body(await world.say("two", token=token)))["cost"] == 0


async def test_embeddings_take_from_the_same_neurons() -> None:
    world = Product()
    world.tokens = (6_485_000, 0)
    assert (await body(await world.say("nearly all")))["cost"] == 0
    left = FREE_MICRO - micro(world.tokens)
    told = await body(await world.ask(EMBED, {"text": "ten words " * 100}))
    beyond = 200_000 * 6_058 - left
    assert told["tokens"] == 200_000
    assert told["cost"] == -(-beyond * NEURON // 10**6) / 10**9


async def test_the_hold_reserves_the_list_price() -> None:
    world = Product()
    await world.say("hello")
    reserved = [
        amount for stage, amount in await world.ledger("stage, amount_nanos") if stage == "reserve"
    ]
    assert reserved[0] > 4_096 * OUT_NEURONS * NEURON // 10**6


async def test_a_world_of_the_environment_fills_auto_as_promised() -> None:
    env = {
        "CLOUDFLARE_ACCOUNT_ID": "acc",
        "CLOUDFLARE_API_TOKEN": "t",
        "OPENAI_API_KEY": "k",
        "JWT_SECRET": SECRET,
    }
    world = World(lambda request: Response(404, [], b""), env=env)
    auto = world.gateway.config.routes["auto"]
    assert auto.simple.startswith("cloudflare/@cf/")
    assert auto.medium.startswith("cloudflare/@cf/")
    assert auto.strong == "openai/gpt-4o"
    assert world.gateway.config.routes["embed"].targets == ("cloudflare/@cf/baai/bge-base-en-v1.5",)
