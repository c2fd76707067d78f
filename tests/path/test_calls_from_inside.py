"""A service that calls the gateway while it answers for it: its mark says that the call is charged already."""

from __future__ import annotations

import asyncio
import json

import pytest

from penstock.auth import calls
from penstock.wire.http import Request, Response
from tests.path.test_service_target import COMPLEX, COST, TARGET, Deep, answer
from tests.path.world import read


class Calling(Deep):
    """Its service calls the gateway back while it answers, as the caller; `marked` with what it was shown."""

    def __init__(
        self, more: str = "", model: str = "auto", marked: bool = True, **env: str
    ) -> None:
        super().__init__(more, **env)
        self.inner: list[Response] = []
        self.model, self.marked = model, marked
        self.answer = self._call

    async def _call(self, request: Request) -> Response:
        kept = {"authorization", calls.NAME} if self.marked else {"authorization"}
        assert isinstance(request.body, bytes)
        asked = json.loads(request.body) | {"model": self.model}
        headers = [pair for pair in request.headers if pair[0] in kept]
        reply = await self.ask("/v1/chat/completions", asked, token=None, headers=headers)
        self.inner.append(reply)
        return answer()


@pytest.mark.parametrize("model", ["auto", "openai/gpt-4o", "gpt-4o-mini"])
async def test_a_service_that_calls_the_gateway_is_charged_once(model):
    world = Calling(model=model)
    response = await asyncio.wait_for(world.chat(COMPLEX), 30)
    assert response.status == 200
    assert [inner.status for inner in world.inner] == [200]
    # What went out is the service and a model, and only the first has a price.
    assert [request.target.split(b"/")[2] for request in world.seen] == [b"chat.test", b"openai.test"]  # fmt: skip
    assert await world.sums() == [("settled", 10, 5, 0), ("settled", 100, 50, COST)]


async def test_an_inner_call_counts_to_no_budget_and_takes_no_place():
    limits = '[tiers.free]\nparallel = 1\ntokens_per_minute = 200000\n[[budgets]]\nper = "user"\nperiod = "day"\ntokens = 10000\n'
    world = Calling(limits)
    response = await world.chat(COMPLEX, max_tokens=100)
    assert (response.status, [inner.status for inner in world.inner]) == (200, [200])
    [(spent,)] = await world.platform.tables.rows("select spent from budgets")
    assert spent == 150


async def test_an_inner_call_never_goes_to_a_service_again():
    world = Calling(model=TARGET)
    assert (await world.chat(COMPLEX)).status == 200
    assert [inner.status for inner in world.inner] == [400]
    assert world.counts["chat.test"] == 1


async def test_a_call_without_the_mark_is_a_call_of_its_own():
    world = Calling(model="openai/gpt-4o-mini", marked=False)
    await world.chat(COMPLEX)
    assert sum(amount for *_, amount in await world.sums()) > COST


@pytest.mark.parametrize(
    "forge",
    [
        lambda mark: "",
        lambda mark: mark[:-1] + ("0" if mark[-1] != "0" else "1"),
        lambda mark: mark.replace("req_", "req_1"),
        lambda mark: mark.replace(";1", ";2", 1),
        lambda mark: calls.mark("req_1.1", 1_900_000_000, b"another secret"),
        lambda mark: calls.mark("req_1.1", 1_700_000_000, b"another secret"),
    ],
)
async def test_a_mark_that_is_not_ours_gives_nothing_away(forge):
    world = Deep()
    await read(await world.chat(COMPLEX))
    [mark] = world.sent(calls.NAME)
    response = await world.chat("hello", headers=[(calls.NAME, forge(mark))])
    assert int(response.header("x-penstock-cost-nanos") or 0) > 0


async def test_a_mark_ends_with_its_call():
    world = Deep()
    await read(await world.chat(COMPLEX))
    [mark] = world.sent(calls.NAME)
    free = await world.chat("hello", headers=[(calls.NAME, mark)])
    assert free.header("x-penstock-cost-nanos") == "0"
    world.platform.clock.advance(601)
    paid = await world.chat("hello", headers=[(calls.NAME, mark)])
    assert int(paid.header("x-penstock-cost-nanos") or 0) > 0


async def test_a_mark_alone_opens_nothing():
    world = Deep()
    mark = calls.mark("req_1.1", 1_900_000_000, world.platform.secret)
    assert (await world.chat("hi", token=None, headers=[(calls.NAME, mark)])).status == 401


async def test_a_mark_goes_to_no_service_behind_the_gateway():
    world = Deep('[services.orders]\nprefixes = ["/api/orders"]\nbackends = [{ url = "http://one.test" }]\n')  # fmt: skip
    mark = calls.mark("req_1.1", 1_900_000_000, world.platform.secret)
    await world.ask("/api/orders", {}, headers=[(calls.NAME, mark)])
    assert world.sent(calls.NAME) == []


async def test_embeddings_are_no_part_of_a_chat():
    budget = '[[budgets]]\nper = "user"\nperiod = "day"\ntokens = 10000\n'
    world = Deep(budget)
    mark = calls.mark("req_1.1", 1_900_000_000, world.platform.secret)
    text = {"model": "text-embedding-3-small", "input": "a river"}
    vector = {"index": 0, "embedding": [0.5]}
    told = {"data": [vector], "usage": {"prompt_tokens": 7, "total_tokens": 7}}
    world.backends["openai.test"] = lambda request: Response(200, [], json.dumps(told).encode())
    response = await world.ask("/v1/embeddings", text, headers=[(calls.NAME, mark)])
    assert response.status == 200
    [(spent,)] = await world.platform.tables.rows("select spent from budgets")
    assert spent == 7
