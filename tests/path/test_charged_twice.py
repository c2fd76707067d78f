"""Where a repeat could charge a second time the reply says so; where surely nothing was processed it does not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from penstock.errors import Broken, NotSent, Unavailable
from penstock.wire.http import Request, Response
from tests.path.test_embeddings import OpenAIWorld, reply
from tests.path.world import Script, World, body, payloads, pieces, read, streamed, whole

NO_RETRY = ["false"]


def told(response: Response) -> list[str]:
    return [value for name, value in response.headers if name == "x-should-retry"]


def fails(error: Exception) -> Any:
    def upstream(request: Request) -> Response:
        raise error

    return upstream


class Books:
    """The ledger of a world, which fails where a statement holds some text."""

    def __init__(self, world: World, text: str, error: Exception) -> None:
        self._batch, self._text, self._error = world.platform.tables.batch, text, error
        world.platform.tables.batch = self  # type: ignore[method-assign]  # stands in for the books

    async def __call__(self, *statements: Any) -> Any:
        if any(self._text in statement[0] for statement in statements):
            raise self._error
        return await self._batch(*statements)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/ai/chat/completions"])
async def test_an_unforeseen_failure_after_the_call(path: str) -> None:
    response = await World(fails(RuntimeError())).chat("hello", path)
    assert (response.status, told(response)) == (500, NO_RETRY)


async def test_an_unforeseen_failure_of_a_reply_that_was_settled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(lambda request: whole("no text"))
    monkeypatch.setattr("penstock.gateway.faces.completion.read", lambda: None)
    response = await world.chat("hello", "/api/ai/chat/completions")
    assert (response.status, told(response)) == (500, NO_RETRY)
    assert (await world.stages())["settled"] == 1


async def test_an_unforeseen_failure_before_the_call_may_be_repeated() -> None:
    world = World()
    Books(world, "'reserve'", RuntimeError())
    response = await world.chat()
    assert (response.status, told(response)) == (500, [])
    assert world.platform.fetch.requests == []


async def test_books_out_of_reach_before_the_call_may_be_repeated() -> None:
    world = World()
    Books(world, "'reserve'", Unavailable())
    response = await world.chat()
    assert (response.status, told(response)) == (503, [])


async def test_books_out_of_reach_after_a_call_of_unknown_outcome() -> None:
    world = World(fails(Broken()))
    Books(world, "'final'", Unavailable())
    response = await world.chat()
    assert (response.status, told(response)) == (503, NO_RETRY)


async def test_a_follower_of_an_answer_that_had_begun() -> None:
    gate = asyncio.Event()

    class Gated(Script):
        async def __anext__(self) -> bytes:
            await gate.wait()
            raise RuntimeError

    world = World(lambda request: Response(200, [], Gated([])))
    asked = [asyncio.create_task(world.chat()) for _ in range(2)]
    await world.platform.clock.run(0)
    gate.set()
    for response in await asyncio.gather(*asked):
        assert response.status >= 500
        assert told(response) == NO_RETRY
        await read(response)


async def test_a_stream_that_fails_as_nobody_foresaw_ends_with_an_event() -> None:
    world = World(lambda request: streamed([*pieces("Hel")[:2], RuntimeError("hunter2")]))
    data = await read(await world.chat(stream=True))
    assert payloads(data)[-1]["error"]["code"] == "internal_error"
    assert b"hunter2" not in data
    assert len(world.reports) == 1
    assert (await world.stages())["estimated"] == 1


# Embeddings in several calls: what one of them cost is not undone by the next


def from_the_second_call(error: Exception) -> Any:
    def upstream(request: Request) -> Response:
        if b'"d"' in (request.body if isinstance(request.body, bytes) else b""):
            raise error
        return reply(request)

    return upstream


@pytest.mark.parametrize(
    ("error", "status"), [(NotSent(), 502), (RuntimeError(), 500), (Unavailable(), 503)]
)
async def test_a_later_batch_fails_after_an_earlier_one_was_charged(
    error: Exception, status: int
) -> None:
    world = OpenAIWorld(from_the_second_call(error))
    response = await world.run(["a", "b", "c", "d"])
    assert (response.status, told(response)) == (status, NO_RETRY)


async def test_a_later_batch_is_beyond_the_token_rate() -> None:
    world = OpenAIWorld(more="\n[tiers.free]\ntokens_per_minute = 60\n", tokens=1)
    response = await world.embed(["a", "b", "c", "d" * 42])
    assert (response.status, told(response)) == (429, NO_RETRY)
    assert response.header("retry-after")


async def test_a_later_batch_is_refused_for_good() -> None:
    world = OpenAIWorld(more="\n[tiers.free]\ntokens_per_minute = 60\n", tokens=1)
    response = await world.embed(["a", "b", "c", "d" * 60])
    assert (response.status, told(response)) == (400, NO_RETRY)
    assert (await body(response))["error"]["code"] == "beyond_token_rate"


async def test_bought_vectors_that_cannot_be_settled() -> None:
    world = OpenAIWorld()
    Books(world, "'final'", Unavailable())
    response = await world.embed(["a"])
    assert (response.status, told(response)) == (503, NO_RETRY)


async def test_a_first_batch_that_surely_was_not_processed_may_be_repeated() -> None:
    response = await OpenAIWorld(fails(NotSent())).run(["a"])
    assert (response.status, told(response)) == (502, [])


async def test_a_refusal_before_any_call_may_be_repeated() -> None:
    world = OpenAIWorld(more="\n[tiers.free]\ntokens_per_minute = 60\n")
    response = await world.embed(["d" * 60])
    assert (response.status, told(response)) == (400, [])
