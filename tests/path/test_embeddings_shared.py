"""Each distinct text is bought once: within a request, and by all who want it at the same time in one process."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from penstock.config import decode, defaults
from penstock.errors import Broken
from penstock.gateway import build
from penstock.wire.http import JSON, Request, Response
from tests.path.product import EMBED, PER_WORD, Product, close, vector
from tests.path.test_embeddings import OPENAI, SMALL_PRICE, OpenAIWorld, reply
from tests.path.world import body

SCALED = "\n[tiers.huge]\nrequests_per_hour = 100000\nscale = 1000\n"
FIRST_BYTE = 60
PRICE = 1_000 * SMALL_PRICE // 10**6
"""Nano-dollars of one text."""
REFUSED = Response(400, [JSON], b"{}")


class Slow:
    """An upstream whose calls wait until they are let go, the n-th with the n-th of `answers`, the rest well."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.go = asyncio.Event()

    async def __call__(self, request: Request) -> Response:
        answer = self.answers.pop(0) if self.answers else reply
        await self.go.wait()
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer


class Shared(OpenAIWorld):
    """A world whose upstream is slow."""

    def __init__(self, *answers: Any) -> None:
        self.slow = Slow(*answers)
        super().__init__(self.slow, more=SCALED)

    async def begin(self, given: Any, count: int = 1, **how: Any) -> list[asyncio.Task[Response]]:
        """That many askers, each gone as far as it can without the upstream."""
        token = how.pop("token", self.token(tier="huge"))
        asked = [asyncio.create_task(self.embed(given, token=token, **how)) for _ in range(count)]
        await self.platform.clock.run(0)
        return asked

    @property
    def inputs(self) -> list[list[str]]:
        return [asked["input"] for _, asked in self.sent]

    async def end(self, *asked: asyncio.Task[Response]) -> list[Response]:
        """Lets the upstream answer; nobody may hang, and nothing of them may stay."""
        self.slow.go.set()
        for _ in range(5):
            await self.platform.clock.run(1)
        assert all(task.done() for task in asked)
        assert not self.gateway.purchases.open
        assert self.platform.clock.waiting == 0
        return [task.result() for task in asked]


def caches(responses: list[Response]) -> dict[str | None, int]:
    found: dict[str | None, int] = {}
    for response in responses:
        name = response.header("x-penstock-cache")
        found[name] = found.get(name, 0) + 1
    return found


def costs(responses: list[Response]) -> int:
    return sum(int(response.header("x-penstock-cost-nanos") or 0) for response in responses)


# Within one request


async def test_the_same_text_twice_in_a_batch_is_bought_once() -> None:
    world = OpenAIWorld()
    response = await world.embed(["a", "b", "a", "a"])
    told = await body(response)
    assert [asked["input"] for _, asked in world.sent] == [["a", "b"]]
    assert [item["embedding"] for item in told["data"]] == [close(vector(t)) for t in "abaa"]
    assert told["usage"]["total_tokens"] == 2_000
    assert response.header("x-penstock-cost-nanos") == str(2 * PRICE)
    assert await world.stages() == {"reserve": 1, "dispatched": 1, "settled": 1}


@pytest.mark.parametrize("cache", [[], [("cache-control", "no-store")]])
async def test_what_is_told_of_each_place_adds_up_to_the_bill(cache: Any) -> None:
    world = Product("\n[tiers.free]\nembedding_batch = 20\n")
    used = "insert into allotments (account, day, used) values ('workers_ai:acc', $1, 10000000000)"
    await world.platform.tables.batch((used, ("2027-01-15",)))
    texts = ["one", "two words", "one", "one", "two words", "three"]
    response = await world.ask(EMBED, {"texts": texts}, headers=cache)
    told = await body(response)
    assert world.sent[-1][1] == {"text": ["one", "two words", "three"]}
    items = told["embeddings"]
    assert told["cached"] == 0
    assert not any("cached" in item for item in items)
    assert told["totalTokens"] == sum(item["tokens"] for item in items) == 4 * PER_WORD
    (bill,) = [row[0] for row in await world.ledger("amount_nanos, stage") if row[1] == "final"]
    assert bill > 0
    assert round(sum(item["cost"] for item in items) * 10**9) == bill
    assert round(told["totalCost"] * 10**9) == bill
    assert all(item["tokens"] > 0 and item["cost"] > 0 for item in items)
    assert [item["embedding"] for item in items] == [close(vector(text)) for text in texts]


async def test_what_is_kept_of_a_text_is_what_it_took_not_a_places_share() -> None:
    world = OpenAIWorld()
    await world.embed(["a", "a", "a"])
    again = await body(await world.embed(["a"]))
    assert again["usage"]["total_tokens"] == 1_000


async def test_a_found_text_counts_at_each_of_its_places() -> None:
    world = Product()
    await world.ask(EMBED, {"text": "a"})
    told = await body(await world.ask(EMBED, {"texts": ["a", "b", "a", "b"]}))
    assert told["cached"] == 2
    counts = await body(await world.get("/admin/cache", token=world.token(role="admin")))
    assert counts["kinds"] == [{"kind": "embed", "hits": 2, "misses": 3}]


async def test_distinct_texts_fill_the_calls() -> None:
    world = OpenAIWorld()
    await world.embed(["a", "a", "a", "b", "c", "b", "d"])
    assert [asked["input"] for _, asked in world.sent] == [["a", "b", "c"], ["d"]]


# By many at the same time


async def test_five_hundred_askers_at_once_make_one_call() -> None:
    world = Shared()
    responses = await world.end(*await world.begin("a", 500))
    assert {response.status for response in responses} == {200}
    assert world.inputs == [["a"]]
    assert caches(responses) == {"miss": 1, "hit": 499}
    assert costs(responses) == PRICE
    assert len({await response_body(response) for response in responses}) == 1
    assert (await world.stages())["reserve"] == 1
    counts = await body(await world.get("/admin/cache", token=world.token(role="admin")))
    assert counts["kinds"] == [{"kind": "embed", "hits": 499, "misses": 1}]


async def response_body(response: Response) -> bytes:
    assert isinstance(response.body, bytes)
    return response.body


async def test_batches_that_overlap_buy_what_the_others_do_not() -> None:
    world = Shared()
    asked = [
        *await world.begin(["a", "b"]),
        *await world.begin(["b", "c"]),
        *await world.begin(["c", "a"]),
    ]
    responses = await world.end(*asked)
    assert world.inputs == [["a", "b"], ["c"]]
    for texts, response in zip(("ab", "bc", "ca"), responses, strict=True):
        data = (await body(response))["data"]
        assert [item["embedding"] for item in data] == [close(vector(text)) for text in texts]
    assert caches(responses) == {"miss": 2, "hit": 1}
    assert costs(responses) == 3 * PRICE


async def test_two_who_each_want_what_the_other_buys_do_not_wait_forever() -> None:
    world = Shared()
    world.slow.go.set()
    asked = [
        task
        for texts in (["a", "b", "c", "d"], ["d", "c", "b", "a"]) * 5
        for task in await world.begin(texts)
    ]
    assert {response.status for response in await world.end(*asked)} == {200}
    assert sorted(text for texts in world.inputs for text in texts) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("how", [{}, {"cache-control": "no-cache"}, {"cache-control": "no-store"}])
async def test_others_and_who_wants_it_fresh_buy_for_themselves(how: dict[str, str]) -> None:
    world = Shared()
    first = await world.begin("a")
    token = world.token("bob" if not how else "alice", tier="huge")
    second = await world.begin("a", token=token, headers=list(how.items()))
    third = await world.begin("a")
    responses = await world.end(*first, *second, *third)
    assert len(world.inputs) == 2
    assert responses[2].header("x-penstock-cache") == "hit"


async def test_where_requests_may_not_wait_for_each_other_each_goes_itself() -> None:
    world = Shared()
    config, _ = defaults(decode(OPENAI + SCALED, {}), {})
    apart: Any = replace(world.platform, shared_loop=False)
    world.gateway = build(config, apart, lambda _, error: None)
    responses = await world.end(*await world.begin("a", 3))
    assert len(world.inputs) == 3
    assert caches(responses) == {"miss": 3}


# The one who buys comes to nothing


async def test_the_leader_leaves_and_its_followers_recover() -> None:
    world = Shared()
    leader, *followers = await world.begin("a", 20)
    leader.cancel()
    await world.platform.clock.run(0)
    assert leader.cancelled()
    responses = await world.end(*followers)
    assert {response.status for response in responses} == {200}
    assert len(world.inputs) == 2
    assert costs(responses) == PRICE
    assert await world.stages() == {
        "reserve": 2,
        "dispatched": 2,
        "estimated": 1,
        "settled": 20 - 1,
    }


async def test_a_follower_leaves_and_nobody_notices() -> None:
    world = Shared()
    leader, gone, stays = await world.begin("a", 3)
    gone.cancel()
    await world.platform.clock.run(0)
    responses = await world.end(leader, stays)
    assert {response.status for response in responses} == {200}
    assert len(world.inputs) == 1


async def test_all_leave() -> None:
    world = Shared()
    asked = await world.begin("a", 5)
    for task in asked:
        task.cancel()
    await world.platform.clock.run(0)
    assert all(task.cancelled() for task in asked)
    await world.end()
    assert len(world.inputs) == 1


async def test_a_target_that_fails_fails_for_all_of_them() -> None:
    world = Shared(Broken())
    responses = await world.end(*await world.begin("a", 20))
    assert {response.status for response in responses} == {502}
    assert {response.header("x-should-retry") for response in responses} == {"false"}
    assert len(world.inputs) == 1
    assert await world.stages() == {"reserve": 1, "dispatched": 1, "estimated": 1}


async def test_a_refusal_of_the_one_text_is_everybodys() -> None:
    world = Shared(REFUSED)
    responses = await world.end(*await world.begin("a", 20))
    assert {response.status for response in responses} == {400}
    assert len(world.inputs) == 1


async def test_a_refusal_of_the_leaders_other_text_is_its_own() -> None:
    world = Shared(REFUSED)
    (leader,) = await world.begin(["a", "far too long"])
    followers = await world.begin("a", 3)
    first, *others = await world.end(leader, *followers)
    assert first.status == 400
    assert {response.status for response in others} == {200}
    assert world.inputs == [["a", "far too long"], ["a"]]


async def test_what_the_leader_no_longer_came_to_its_followers_buy() -> None:
    world = Shared(Broken())
    (leader,) = await world.begin(["a", "b", "c", "d"])
    followers = await world.begin("d", 3)
    first, *others = await world.end(leader, *followers)
    assert first.status == 502
    assert {response.status for response in others} == {200}
    assert world.inputs == [["a", "b", "c"], ["d"]]


async def test_nobody_foresaw_the_leaders_failure_and_its_followers_recover() -> None:
    world = Shared(RuntimeError())
    first, *others = await world.end(*await world.begin("a", 5))
    assert first.status == 500
    assert {response.status for response in others} == {200}
    assert len(world.inputs) == 2


async def test_a_follower_waits_at_most_the_first_bytes_time_and_then_goes_itself() -> None:
    hangs = asyncio.Event()

    async def upstream(request: Request) -> Response:
        if len(world.inputs) == 1:
            await hangs.wait()
        return reply(request)

    world = Shared()
    world.platform.fetch.handler = upstream
    leader, *followers = await world.begin(["a"], 4)
    await world.platform.clock.run(FIRST_BYTE - 1)
    assert not any(task.done() for task in followers)
    await world.platform.clock.run(2)
    assert all(task.done() for task in followers)
    assert {task.result().status for task in followers} == {200}
    assert not leader.done()
    late = await world.embed(["a"])
    assert late.header("x-penstock-cache") == "hit"
    hangs.set()
    assert [response.status for response in await world.end(leader)] == [200]


async def test_who_waits_for_one_leader_after_another_waits_no_longer_in_all() -> None:
    world = Shared()
    *leaders, last = await world.begin("a", 4)
    # The first leaves halfway; the second hangs, and the others have waited for long enough already.
    await world.platform.clock.run(FIRST_BYTE / 2)
    leaders[0].cancel()
    await world.platform.clock.run(FIRST_BYTE / 2 - 1)
    assert len(world.inputs) == 2
    await world.platform.clock.run(2)
    assert len(world.inputs) == 4
    await world.end(*leaders[1:], last)


async def test_what_was_bought_is_shared_though_the_leader_fails_later() -> None:
    world = Shared(reply, Broken())
    (leader,) = await world.begin(["a", "b", "c", "d"])
    followers = await world.begin(["c", "a"], 3)
    first, *others = await world.end(leader, *followers)
    assert first.status == 502
    assert caches(others) == {"hit": 3}
    assert world.inputs == [["a", "b", "c"], ["d"]]


async def test_a_followed_text_is_told_as_found() -> None:
    world = Product()
    slow = asyncio.Event()

    async def upstream(request: Request) -> Any:
        await slow.wait()
        return world.upstream(request)

    world.platform.fetch.handler = upstream
    first = asyncio.create_task(world.ask(EMBED, {"text": "one"}))
    await world.platform.clock.run(0)
    second = asyncio.create_task(world.ask(EMBED, {"texts": ["one", "two words", "one"]}))
    await world.platform.clock.run(0)
    slow.set()
    await first
    told = await body(await second)
    assert told["cached"] == 2
    assert [item.get("cached", False) for item in told["embeddings"]] == [True, False, True]
    assert [item["tokens"] for item in told["embeddings"]] == [PER_WORD, 2 * PER_WORD, PER_WORD]
    assert [asked["text"] for _, asked in world.sent] == [["one"], ["two words"]]
