"""Budgets through whole requests: no overspend, no false denial, nothing of a refused call left behind."""

from __future__ import annotations

import asyncio
import json
from itertools import count
from typing import Any

import pytest

from penstock.errors import Unavailable
from penstock.platforms.memory.meter import MemoryMeter
from penstock.ports import Statement
from penstock.wire.http import Request, Response
from tests.path.world import World, body, completion, pieces, read, streamed, whole

CHAT = "/api/ai/chat/completions"
PRO = """
[tiers.pro]
requests_per_hour = 10_000
"""


def sent_to(data: Any) -> Any:
    """What a body said."""
    return json.loads(data)


def budget(**values: Any) -> str:
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    return "\n[[budgets]]\n" + "\n".join(lines) + "\n"


async def counts(world: World) -> list[tuple[Any, ...]]:
    found = await world.platform.tables.rows(
        "select budget, cap, reserved, spent from budgets order by budget, starts"
    )
    return [tuple(row) for row in found]


def answering(outputs: list[int]) -> Any:
    """An upstream that takes a turn of the loop, and reports these output tokens one after the other."""
    numbers = count()

    async def upstream(request: Request) -> Response:
        for _ in range(3):
            await asyncio.sleep(0)
        answer = completion("Hello!")
        output = outputs[next(numbers) % len(outputs)]
        answer["usage"] = {"prompt_tokens": 0, "completion_tokens": output, "total_tokens": output}
        return Response(200, [("content-type", "application/json")], json.dumps(answer).encode())

    return upstream


OWN = """
[[prices]]
provider = "cheap"
model = "gpt-4o-mini"
input = "0"
output = "10"
"""


async def test_a_dollar_and_500_calls_at_once_of_a_cent_each() -> None:
    # $10 a million tokens, 1,000 of output at the most: a cent; charged 0.95 to 1 of it.
    upstream = answering([950 + step for step in range(0, 51, 5)])
    world = World(upstream, OWN + PRO + budget(per="user", period="day", money="1.00"))
    token = world.token(tier="pro")
    calls = [
        world.chat(f"call {n}", token=token, model="gpt-4o-mini", max_tokens=1000)
        for n in range(500)
    ]
    replies = await asyncio.gather(*calls)
    statuses = [reply.status for reply in replies]
    assert set(statuses) == {200, 429}
    ran = statuses.count(200)
    assert 95 <= ran <= 100
    [(_, cap, reserved, spent)] = await counts(world)
    assert (cap, reserved) == (10**9, 0)
    assert 950_000_000 <= spent <= 10**9
    [(total,)] = await world.platform.tables.rows(
        "select sum(amount_nanos) from ledger where stage = 'final'"
    )
    assert spent == total
    # After settling, a cheap call that still fits is not denied.
    left = (cap - spent) // 10_000
    assert left > 0
    reply = await world.chat("cheap", token=token, model="gpt-4o-mini", max_tokens=left)
    assert reply.status == 200


async def test_what_a_refused_caller_is_told() -> None:
    world = World(None, OWN + budget(per="user", period="hour", money="0.015"))
    assert (await world.chat("one", model="gpt-4o-mini", max_tokens=1000)).status == 200
    before = await world.ledger()
    for path in ("/v1/chat/completions", CHAT):
        reply = await world.chat("two", path, model="gpt-4o-mini", max_tokens=1_499)
        assert reply.status == 429
        assert reply.header("x-should-retry") == "false"
        assert reply.header("retry-after") == "3600"
        told = await body(reply)
        if path != CHAT:
            assert told["error"]["code"] == told["error"]["type"] == "insufficient_quota"
            assert "The budget of $0.015 an hour" in told["error"]["message"]
            continue
        assert told["error"] == "Daily quota exceeded"
        assert told["code"] == "insufficient_quota"
        assert told["retryAfter"] == 3600
        assert told["budget"] == {
            "per": "user",
            "period": "hour",
            "cap": "$0.015",
            "resets": "2027-01-15T09:00:00.000Z",
            "spent": "$0.00005",
            "reserved": "$0",
        }
    assert await world.ledger() == before
    assert len(world.platform.fetch.requests) == 1
    # It begins again, and another caller has its own.
    assert (
        await world.chat("two", model="gpt-4o-mini", max_tokens=1_499, token=world.token("bob"))
    ).status == 200
    world.platform.clock.advance(3_600)
    assert (await world.chat("two", model="gpt-4o-mini", max_tokens=1_499)).status == 200


async def test_without_a_cap_the_targets_is_sent_and_shown() -> None:
    def upstream(request: Request) -> Response:
        stream = sent_to(request.body).get("stream")
        return streamed(pieces("a")) if stream else whole("a")

    world = World(upstream, budget(per="route", period="month", money="5"))
    for stream in (False, True):
        reply = await world.chat(f"hello {stream}", stream=stream)
        await read(reply)
        assert reply.header("x-penstock-max-output") == "4096"
    sent = [sent_to(request.body) for request in world.platform.fetch.requests]
    assert [one["max_tokens"] for one in sent] == [4096, 4096]
    named = await world.chat("mine", max_tokens=7)
    assert named.header("x-penstock-max-output") is None
    assert sent_to(world.platform.fetch.requests[-1].body)["max_tokens"] == 7


async def test_without_a_budget_a_request_goes_out_unchanged_and_writes_two_plain_rows() -> None:
    world = World(None, budget(per="user", period="day", money="5", name="somebody-else"))
    batches: list[tuple[Statement, ...]] = []
    tables = world.platform.tables
    written = tables.batch

    async def batch(*statements: Statement) -> Any:
        batches.append(statements)
        return await written(*statements)

    tables.batch = batch  # type: ignore[method-assign]  # this world's own tables
    reply = await world.chat()
    assert reply.header("x-penstock-max-output") is None
    sent = sent_to(world.platform.fetch.requests[0].body)
    assert not {"max_tokens", "max_completion_tokens"} & sent.keys()
    assert [len(statements) for statements in batches] == [2, 1]
    assert await counts(world) == []


async def test_a_stream_that_is_left_is_charged_and_gives_back_what_it_held() -> None:
    world = World(
        lambda request: streamed(pieces("a", "b")),
        budget(per="user", period="day", money="1", tokens=99_999),
    )
    reply = await world.chat(stream=True)
    [(_, _, money, _), (_, _, tokens, _)] = await counts(world)
    assert money > 0
    assert tokens > 4096
    await reply.aclose()
    [(_, _, held, spent), (_, _, held_tokens, spent_tokens)] = await counts(world)
    assert (held, held_tokens) == (0, 0)
    assert 0 < spent <= money
    assert 0 < spent_tokens <= tokens


async def test_a_failure_that_cost_nothing_gives_all_back() -> None:
    world = World(
        lambda request: Response(400, [], b"{}"), budget(per="user", period="day", money="1")
    )
    reply = await world.chat(model="gpt-4o-mini")
    assert reply.status >= 400
    [(_, _, reserved, spent)] = await counts(world)
    assert (reserved, spent) == (0, 0)
    assert await world.platform.tables.rows("select * from budget_holds") == []


async def test_a_refusal_gives_the_token_rate_and_the_place_back() -> None:
    limits = "\n[tiers.gold]\ntokens_per_minute = 100_000\nparallel = 1\n"
    world = World(None, OWN + limits + budget(per="tenant", period="day", money="0.01"))
    token = world.token(tier="gold")
    for number in range(5):
        reply = await world.chat(f"{number}", model="gpt-4o-mini", max_tokens=50_000, token=token)
        assert reply.status == 429
        assert (await body(reply))["error"]["code"] == "insufficient_quota"
    assert (
        await world.chat("less", model="gpt-4o-mini", max_tokens=100, token=token)
    ).status == 200


async def test_a_hit_costs_no_budget() -> None:
    world = World(None, OWN + budget(per="user", period="day", money="0.00005"))
    assert (await world.chat(model="gpt-4o-mini", max_tokens=5)).status == 200
    assert (await world.chat(model="gpt-4o-mini", max_tokens=5)).header("x-penstock-cache") == "hit"
    assert (await world.chat("new", model="gpt-4o-mini", max_tokens=5)).status == 429


async def test_embeddings_count() -> None:
    def upstream(request: Request) -> Response:
        texts = sent_to(request.body)["input"]
        data = [{"index": n, "embedding": [0.5, 0.5]} for n in range(len(texts))]
        told = {"data": data, "model": "m", "usage": {"prompt_tokens": 4, "total_tokens": 4}}
        return Response(200, [("content-type", "application/json")], json.dumps(told).encode())

    world = World(upstream, budget(per="user", period="day", tokens=30))
    first = await world.ask("/v1/embeddings", {"model": "embed", "input": "a short text"})
    assert first.status == 200
    [(name, cap, reserved, spent)] = await counts(world)
    assert (name, cap, reserved, spent) == ("user:day:tokens:default/alice", 30, 0, 4)
    refused = await world.ask(
        "/v1/embeddings", {"model": "embed", "input": "a text that is longer " * 3}
    )
    assert refused.status == 429
    assert (await body(refused))["error"]["code"] == "insufficient_quota"
    assert [row[-2:] for row in await counts(world)] == [(0, 4)]


async def test_budgets_hold_whatever_happens_to_the_meter(monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(*args: Any) -> None:
        raise Unavailable

    limits = "\n[tiers.gold]\nparallel = 5\n"
    world = World(None, OWN + limits + budget(per="user", period="day", money="0.01"))
    token = world.token(tier="gold")
    monkeypatch.setattr(MemoryMeter, "give", gone)
    assert (
        await world.chat("one", model="gpt-4o-mini", max_tokens=1000, token=token)
    ).status == 200
    assert [row[-2:] for row in await counts(world)] == [(0, 50_000)]
    reply = await world.chat("two", model="gpt-4o-mini", max_tokens=1000, token=token)
    assert reply.status == 429


NO_PRICE = """
[[targets]]
provider = "cheap"
model = "house-model"
[routes.house]
targets = ["cheap/house-model", "cheap/gpt-4o-mini"]
"""


@pytest.mark.parametrize(
    ("policy", "budgeted", "status"),
    [
        ("", False, 200),
        ("", True, 400),
        ('unpriced = "allow"', True, 200),
        ('unpriced = "refuse"', False, 400),
    ],
)
async def test_a_target_without_a_price(policy: str, budgeted: bool, status: int) -> None:
    limit = budget(per="user", period="day", money="1") if budgeted else ""
    world = World(None, NO_PRICE + f"[server]\n{policy}\n" + limit)
    reply = await world.chat(model="house-model")
    assert reply.status == status
    if status == 400:
        told = (await body(reply))["error"]
        assert (told["code"], told["param"]) == ("unpriced_target", "model")
        assert await world.ledger() == []
    # A route goes on with those of its targets that have one.
    routed = await world.chat("routed", model="house")
    assert routed.status == 200
    told = "cheap/house-model" if status == 200 else "cheap/gpt-4o-mini"
    assert routed.header("x-penstock-target") == told


async def test_a_token_budget_takes_targets_without_a_price() -> None:
    world = World(None, NO_PRICE + budget(per="user", period="day", tokens=10_000))
    assert (await world.chat(model="house-model")).status == 200


async def test_what_costs_nothing_is_not_refused_when_the_money_is_used_up() -> None:
    free = '\n[[prices]]\nprovider = "cheap"\nmodel = "house-model"\ninput = "0"\n'
    world = World(None, OWN + NO_PRICE + free + budget(per="user", period="day", money="0.00005"))
    assert (await world.chat(model="gpt-4o-mini", max_tokens=5)).status == 200
    assert (await world.chat("more", model="gpt-4o-mini", max_tokens=5)).status == 429
    reply = await world.chat("more", model="house-model")
    assert reply.status == 200
    assert reply.header("x-penstock-max-output") == "4096"
    assert [row[-2:] for row in await counts(world)] == [(0, 50_000)]


async def test_own_prices_are_charged_and_kept_with_the_row() -> None:
    world = World(None, OWN)
    reply = await world.chat(model="gpt-4o-mini")
    assert reply.header("x-penstock-cost-nanos") == "50000"
    [(price,)] = await world.platform.tables.rows(
        "select price from ledger where stage = 'dispatched'"
    )
    assert json.loads(price)["output"] == 10_000_000_000


async def test_parallel_calls_have_a_limit_and_places_come_back_however_a_call_ends() -> None:
    world = World(lambda request: streamed(pieces("a")), "\n[tiers.gold]\nparallel = 2\n")
    token = world.token(tier="gold")
    first = await world.chat("one", stream=True, token=token)
    second = await world.chat("two", stream=True, token=token)
    for path in ("/v1/chat/completions", CHAT):
        third = await world.chat("three", path, stream=True, token=token)
        assert third.status == 429
        assert third.header("retry-after") == "1"
        told = await body(third)
        assert (told if path == CHAT else told["error"])["code"] == "parallel_limit_exceeded"
    other = await world.chat("three", stream=True, token=world.token("bob", tier="gold"))
    assert other.status == 200
    await read(other)
    await first.aclose()  # left
    await read(second)  # read to its end
    for number in range(3):
        again = await world.chat(f"again {number}", stream=True, token=token)
        assert again.status == 200
        await read(again)


async def test_a_failed_call_gives_its_place_back() -> None:
    world = World(lambda request: Response(400, [], b"{}"), "\n[tiers.gold]\nparallel = 1\n")
    token = world.token(tier="gold")
    for _ in range(3):
        reply = await world.chat(model="gpt-4o-mini", token=token)
        assert reply.status in (400, 502)


async def test_books_out_of_reach_do_not_keep_a_place() -> None:
    world = World(lambda request: streamed(pieces("a")), "\n[tiers.gold]\nparallel = 1\n")
    token = world.token(tier="gold")
    reply = await world.chat("one", stream=True, token=token)
    tables = world.platform.tables
    written = tables.batch

    async def gone(*statements: Statement) -> Any:
        raise Unavailable

    tables.batch = gone  # type: ignore[method-assign]  # this world's own tables
    await read(reply)
    tables.batch = written  # type: ignore[method-assign]  # this world's own tables
    assert (await world.chat("two", stream=True, token=token)).status == 200
