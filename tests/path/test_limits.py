"""Rates through whole requests: one count for all faces, each refusal with all it must say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from penstock.wire.http import Response
from tests.path.product import CHAT, EMBED, ONE, Product, user
from tests.path.world import body, read

V1 = "/v1/chat/completions"
FACES: list[tuple[str, dict[str, Any]]] = [
    (V1, {"model": "auto", "messages": [user("hello")]}),
    (CHAT, {"messages": [user("hello")]}),
    (ONE, {"message": "hello"}),
    (CHAT, {"messages": [user("hello")], "stream": True}),
    (V1, {"model": "auto", "messages": []}),
]
UPGRADE = "Upgrade to Pro for 10x more requests"
HOUR = 3_600


def rates(response: Response) -> tuple[int, int, int]:
    """The first design's three headers."""
    names = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
    limit, remaining, reset = (int(response.header(name) or -1) for name in names)
    return limit, remaining, reset


async def use_up(world: Product, count: int, token: str = "") -> list[Response]:
    """So many chats through all faces in turn; good ones, hits, streams and bad requests count alike."""
    replies = []
    for number in range(count):
        path, given = FACES[number % len(FACES)]
        replies.append(await world.ask(path, given, token=token))
        await read(replies[-1])
    return replies


async def test_the_hundred_and_first_chat_of_a_free_user() -> None:
    world = Product()
    replies = await use_up(world, 100)
    assert {response.status for response in replies} == {200, 400}
    openai = [int(one.header("x-ratelimit-remaining-requests") or -1) for one in replies]
    assert openai == list(range(99, -1, -1))
    for path, given in FACES:
        response = await world.ask(path, given)
        assert response.status == 429, path
        assert response.header("retry-after") == "3600"
        assert response.header("x-ratelimit-limit-requests") == "100"
        assert response.header("x-ratelimit-remaining-requests") == "0"
        assert response.header("x-ratelimit-reset-requests") == "1h0m0s"
        assert response.header("ratelimit-policy") == '"chat";q=100;w=3600, "tier";q=100;w=3600'
        assert response.header("ratelimit") == '"chat";r=0;t=3600, "tier";r=0;t=3600'
        told = await body(response)
        if path == V1:
            assert told["error"].keys() == {"message", "type", "param", "code"}
            assert told["error"]["type"] == "rate_limit_error"
            assert told["error"]["code"] == "rate_limit_exceeded"
            assert response.header("x-ratelimit-limit") is None
            continue
        assert told["error"] == "Rate limit exceeded"
        assert (told["retryAfter"], told["limit"], told["window"]) == (3_600, 100, 3_600)
        assert "upgrade" not in told
        assert told["status"] == 429
        assert told["code"] == "rate_limit_exceeded"
        assert rates(response) == (100, 0, (1_800_000_000 + HOUR) * 1000)
    # Nothing refused was sent, held or counted.
    assert len(world.sent) == 1
    world.platform.clock.advance(HOUR)
    assert (await world.say(token=world.token())).status == 200


async def test_waiting_as_long_as_told_is_enough() -> None:
    world = Product()
    await use_up(world, 50)
    world.platform.clock.advance(1_800.5)
    token = world.token()
    await use_up(world, 50, token)
    response = await world.say(token=token)
    told = await body(response)
    assert told["retryAfter"] == int(response.header("retry-after") or 0) == 1_800
    world.platform.clock.advance(1_799)
    assert (await world.say(token=token)).status == 429
    world.platform.clock.advance(1)
    assert (await world.say(token=token)).status == 200


@pytest.mark.parametrize(
    ("tier", "rate"),
    [("free", 100), ("pro", 1_000), ("enterprise", 10_000), ("gold", 100), ("", 100)],
)
async def test_each_tier_has_its_rates(tier: str, rate: int) -> None:
    world = Product()
    token = world.token(tier=tier) if tier else world.token()
    assert rates(await world.say(token=token)) == (rate, rate - 1, (1_800_000_000 + HOUR) * 1000)
    embedded = await world.ask(EMBED, {"text": "a"}, token=token)
    assert (
        embedded.header("ratelimit-policy")
        == f'"other";q={2 * rate};w=3600, "tier";q={rate};w=3600'
    )
    usage = await world.get("/api/usage", token=token)
    assert rates(usage)[:2] == (2 * rate, 2 * rate - 2)
    listed = await world.get("/v1/models", token=token)
    assert listed.header("x-ratelimit-remaining-requests") == str(2 * rate - 3)


async def test_the_tiers_own_rate_counts_chats_and_embeddings_together() -> None:
    world = Product()
    await use_up(world, 60)
    for _ in range(40):
        assert (await world.ask(EMBED, {"text": "a"})).status == 200
    response = await world.ask(EMBED, {"text": "a"})
    assert response.status == 429
    told = await body(response)
    assert told["error"] == "Daily quota exceeded"
    assert told["upgrade"] == UPGRADE
    assert (told["retryAfter"], told["limit"], told["window"]) == (3_600, 100, 3_600)
    assert rates(response) == (100, 0, (1_800_000_000 + HOUR) * 1000)
    # What is neither AI nor RAG goes on.
    assert (await world.get("/api/usage")).status == 200
    assert (await world.get("/v1/models")).status == 200


async def test_only_a_free_caller_is_told_to_upgrade() -> None:
    world = Product("[tiers.pro]\nrequests_per_hour = 1\nscale = 10\n")
    token = world.token(tier="pro")
    await world.say(token=token)
    told = await body(await world.say(token=token))
    assert told["error"] == "Daily quota exceeded"
    assert "upgrade" not in told


@pytest.mark.parametrize(
    ("window", "text"),
    [(60, "Daily quota exceeded"), (3_600, "Rate limit exceeded"), (7_200, "Rate limit exceeded")],
)
async def test_of_several_refusals_the_endpoints_speaks_unless_the_tiers_is_longer(
    window: int, text: str
) -> None:
    limits = f"[limits]\nchat = {{ requests = 1, window = {window} }}\n[tiers.free]\nrequests_per_hour = 1\n"
    world = Product(limits)
    await world.say()
    response = await world.say()
    told = await body(response)
    assert told["error"] == text
    assert told["retryAfter"] == max(window, HOUR)
    assert told["window"] == (HOUR if text.startswith("Daily") else window)


async def test_callers_have_rates_of_their_own_and_tenants_too() -> None:
    world = Product()
    await use_up(world, 100)
    assert (await world.say()).status == 429
    assert (await world.say(token=world.token("bob"))).status == 200
    assert (await world.say(token=world.token("alice", tenant="other"))).status == 200


async def test_every_metered_product_reply_has_the_three_headers() -> None:
    world = Product()
    replies = [
        await world.say(),
        await world.say(),
        await world.say(stream=True),
        await world.ask(CHAT, b"{"),
        await world.say(model="no-such"),
        await world.say(forceProvider="openai"),
        await world.ask(EMBED, {}),
        await world.ask(EMBED, {"text": "a"}),
        await world.get("/api/usage", "by=nothing"),
    ]
    assert [one.status for one in replies] == [200, 200, 200, 400, 404, 403, 400, 200, 400]
    assert all(rates(one)[0] > 0 and rates(one)[2] > 1_800_000_000_000 for one in replies)
    assert [rates(one)[1] for one in replies[:6]] == [99, 98, 97, 96, 95, 94]


async def test_a_long_wait_is_not_slept_through_by_an_sdk() -> None:
    # The npm client sleeps as long as retry-after says, an hour if need be, unless told not to retry.
    world = Product(
        "[limits]\nchat = { requests = 1, window = 30 }\n[tiers.free]\nrequests_per_hour = 2\n"
    )
    await world.say()
    brief = await world.say()
    assert (brief.header("retry-after"), brief.header("x-should-retry")) == ("30", None)
    world.platform.clock.advance(30)
    await world.say()
    long = await world.say()
    assert (long.header("retry-after"), long.header("x-should-retry")) == ("3570", "false")


TOKENS = "[tiers.talker]\nrequests_per_hour = 100\ntokens_per_minute = 10_000\n"


async def test_a_token_rate_shows_itself_where_there_is_one() -> None:
    world = Product(TOKENS)
    token = world.token(tier="talker")
    response = await world.chat("hi", token=token, max_tokens=100)
    assert response.header("x-ratelimit-limit-tokens") == "10000"
    assert int(response.header("x-ratelimit-remaining-tokens") or 0) > 9_000
    free = await world.chat("hi", max_tokens=100)
    assert free.header("x-ratelimit-limit-tokens") is None


async def test_what_was_not_used_of_a_token_rate_is_given_back() -> None:
    world = Product(TOKENS)
    token = world.token(tier="talker")
    for number in range(20):
        response = await world.chat(f"hi {number}", token=token, max_tokens=4_000)
        assert response.status == 200
        await read(response)


async def test_a_used_up_token_rate() -> None:
    world = Product(TOKENS)
    world.tokens = (5_000, 2_000)
    token = world.token(tier="talker")
    await world.chat("one", token=token, max_tokens=3_000)
    for path in (V1, CHAT):
        given = {"messages": [user("two")], "max_tokens": 9_000}
        response = await world.ask(
            path, given | ({"model": "auto"} if path == V1 else {}), token=token
        )
        assert response.status == 429
        assert response.header("retry-after") == "60"
        assert response.header("x-ratelimit-limit-tokens") == "10000"
        assert response.header("x-ratelimit-remaining-tokens") == "3000"
        told = await body(response)
        message = told["error"]["message"] if path == V1 else told["detail"]
        assert message == "10000 tokens in 60 s are used up; wait 60 s."
        if path == CHAT:
            assert told["error"] == "Rate limit exceeded"
            assert (told["retryAfter"], told["limit"], told["window"]) == (60, 10_000, 60)
    assert len(world.sent) == 1
    world.platform.clock.advance(60)
    assert (await world.chat("two", token=token, max_tokens=3_000)).status == 200


async def test_what_can_never_fit_a_token_rate_is_a_bad_request() -> None:
    world = Product(TOKENS)
    response = await world.chat("hi", token=world.token(tier="talker"), max_tokens=20_000)
    told = await body(response)
    assert response.status == 400
    assert told["error"]["code"] == "beyond_token_rate"
    assert world.sent == []
    assert json.dumps(await world.ledger()) == "[]"
