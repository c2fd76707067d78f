"""One ask in two forms, whole and streamed: shared where text is all there is, never at the cost of what is not text."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from penstock.wire.http import Request, Response
from tests.path.product import ONE, Product
from tests.path.world import (
    DONE,
    USAGE_CHUNK,
    World,
    body,
    chunk,
    completion,
    payloads,
    pieces,
    read,
    streamed,
    text_of,
    whole,
)  # fmt: skip

CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
TOOLS = [{"type": "function", "function": {"name": "look"}}]
LOGPROBS = {"content": [{"token": "Hi", "logprob": -0.5, "bytes": None, "top_logprobs": []}]}


def calling(request: Request) -> Response:
    """A target that calls a tool in whichever form it is asked."""
    assert isinstance(request.body, bytes)
    if json.loads(request.body).get("stream"):
        delta = {"role": "assistant", "tool_calls": [CALL | {"index": 0}]}
        return streamed([chunk(delta), chunk({}, "tool_calls"), USAGE_CHUNK, DONE])
    return whole("", "tool_calls", tool_calls=[CALL])


def calls_of(data: bytes) -> list[Any]:
    return [
        call
        for payload in payloads(data)
        if payload != "[DONE]"
        for choice in payload["choices"]
        for call in choice["delta"].get("tool_calls") or []
    ]


@pytest.mark.parametrize("first_streams", [False, True])
async def test_tool_calls_reach_both_of_two_askers_at_once(first_streams: bool) -> None:
    arrived, gate = asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> Response:
        arrived.set()
        await gate.wait()
        return calling(request)

    world = World(slow)
    first = asyncio.create_task(world.chat("look", tools=TOOLS, stream=first_streams))
    await arrived.wait()
    second = asyncio.create_task(world.chat("look", tools=TOOLS, stream=not first_streams))
    for _ in range(50):
        await asyncio.sleep(0)
    gate.set()
    responses = [await first, await second]
    data = [await read(response) for response in responses]
    if first_streams:
        data.reverse()
    message = json.loads(data[0])["choices"][0]["message"]
    assert message["tool_calls"] == [CALL]
    assert calls_of(data[1]) == [CALL | {"index": 0}]


def probable(request: Request) -> Response:
    """A target that tells how probable its words were, in both forms."""
    assert isinstance(request.body, bytes)
    if json.loads(request.body).get("stream"):
        parts = pieces("Hi")
        told = json.loads(parts[1][6:])
        told["choices"][0]["logprobs"] = LOGPROBS
        parts[1] = b"data: " + json.dumps(told).encode() + b"\n\n"
        return streamed(parts)
    reply = completion("Hi")
    reply["choices"][0]["logprobs"] = LOGPROBS
    return Response(200, [("content-type", "application/json")], json.dumps(reply).encode())


@pytest.mark.parametrize("first_streams", [False, True])
@pytest.mark.parametrize("then_streams", [False, True])
async def test_log_probabilities_are_never_lost(first_streams: bool, then_streams: bool) -> None:
    world = World(probable)
    for stream in (first_streams, then_streams):
        response = await world.chat("hi", logprobs=True, stream=stream)
        assert probabilities(await read(response), stream) == LOGPROBS


def probabilities(data: bytes, stream: bool) -> Any:
    if not stream:
        return json.loads(data)["choices"][0]["logprobs"]
    found = [one["choices"][0].get("logprobs") for one in payloads(data)[:-1] if one["choices"]]
    return next((one for one in found if one), None)


async def test_a_whole_answer_with_log_probabilities_is_kept_as_it_came() -> None:
    world = World(probable)
    first = await read(await world.chat("hi", logprobs=True))
    again = await world.chat("hi", logprobs=True)
    assert again.header("x-penstock-cache") == "hit"
    assert await read(again) == first


async def test_plain_text_is_still_shared_between_the_forms() -> None:
    world = World(lambda request: streamed(pieces("Hel", "lo")))
    assert text_of(await read(await world.chat(stream=True))) == "Hello"
    again = await world.chat()
    assert again.header("x-penstock-cache") == "hit"
    assert (await body(again))["choices"][0]["message"]["content"] == "Hello"


NO = "I cannot help with that."


@pytest.mark.parametrize("stream", [False, True])
async def test_a_refusal_is_what_the_product_face_says(stream: bool) -> None:
    world = Product()
    if stream:
        world.platform.fetch.handler = lambda request: streamed(
            [chunk({"refusal": NO}), chunk({}, "stop"), USAGE_CHUNK, DONE]
        )
    else:
        world.platform.fetch.handler = lambda request: whole("", refusal=NO)
    for _ in range(2):
        response = await world.say(path=ONE, model="gpt-4o", stream=stream)
        assert response.header("x-penstock-cache") == "miss"
        data = await read(response)
        if stream:
            delta, told, _ = payloads(data)
            assert delta == {"delta": NO}
        else:
            told = json.loads(data)
        assert told["message"]["content"] == NO
