"""Replies nested so deep that a decoder would run out of stack, which in WebAssembly nobody survives: they are no JSON."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from penstock.auth import jws
from penstock.errors import Failed
from penstock.providers import lookup
from penstock.wire.http import JSON, Request, Response
from tests.path.test_odd_replies import KINDS, Kind, balanced, config, sound
from tests.path.world import World, completion, streamed

DEPTHS = (300, 20_000)
Deepened = Callable[[bytes], bytes]


def after(depth: int) -> Deepened:
    """A field that nobody asked for, behind all others."""
    return lambda body: body.rstrip()[:-1] + b', "odd": ' + nested(depth) + b"}"


def before(depth: int) -> Deepened:
    """The same before all others, with an escaped quote that ends no text."""
    return lambda body: b'{"odd \\"[": ' + nested(depth) + b"," + body.lstrip()[1:]


def nested(depth: int) -> bytes:
    return b'[{"a":' * (depth // 2) + b"1" + b"}]" * (depth // 2)


def world_of(kind: Kind, deepen: Deepened, status: int = 200) -> World:
    """A gateway whose one target's replies all are so deep, whole, as events or as errors."""

    def upstream(request: Request) -> Response:
        assert isinstance(request.body, bytes)
        whole = deepen(json.dumps(kind.whole).encode())
        if status != 200 or not json.loads(request.body).get("stream"):
            return Response(status, [JSON], whole)
        first, *rest = [json.dumps(payload).encode() for payload in kind.stream]
        events = [b"data: " + payload + b"\n\n" for payload in (deepen(first), *rest)]
        return streamed([*events, kind.done])

    return World(upstream, more=config(kind.name), env={})


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("place", [after, before])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_a_deep_reply_is_a_failed_target(
    kind: Kind, stream: bool, place: Callable[[int], Deepened], depth: int
) -> None:
    world = world_of(kind, place(depth))
    response = await world.chat("hello", stream=stream)
    await sound(world, response)
    assert response.status == 502
    await balanced(world)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_what_is_as_deep_as_a_caller_may_be_is_read(kind: Kind) -> None:
    world = world_of(kind, after(120))
    for stream in (False, True):
        response = await world.chat("hello", stream=stream)
        await sound(world, response)
        assert response.status == 200
    await balanced(world)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_a_deep_error_is_told_by_its_status(kind: Kind) -> None:
    world = world_of(kind, after(20_000), 500)
    response = await world.chat("hello")
    await sound(world, response)
    assert response.status == 502


async def test_a_deep_event_after_the_first_is_an_error_event() -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": "Hel"}}]}
    events = [json.dumps(chunk).encode(), after(20_000)(json.dumps(chunk).encode())]
    parts = [b"data: " + event + b"\n\n" for event in events]
    world = World(lambda _: streamed([*parts, b"data: [DONE]\n\n"]), more=config("openai"), env={})
    response = await world.chat("hello", stream=True)
    assert b"upstream_unreadable" in await sound(world, response)
    await balanced(world)


async def test_deep_strings_are_no_depth() -> None:
    world = World(
        lambda _: Response(200, [JSON], json.dumps(completion('["' * 20_000)).encode()),
        more=config("openai"), env={},
    )  # fmt: skip
    response = await world.chat("hello")
    await sound(world, response)
    assert response.status == 200


@pytest.mark.parametrize("depth", DEPTHS)
async def test_deep_embeddings_are_a_failed_target(depth: int) -> None:
    whole = {"data": [{"index": 0, "embedding": [0.5]}], "usage": {"prompt_tokens": 1}}
    said = after(depth)(json.dumps(whole).encode())
    world = World(lambda _: Response(200, [JSON], said))
    response = await world.ask("/v1/embeddings", {"model": "embed", "input": "hello"})
    await sound(world, response)
    assert response.status == 502


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_deep_look_up_says_nothing(depth: int) -> None:
    said = after(depth)(b'{"usage": {"prompt_tokens": 1, "completion_tokens": 1}}')
    with pytest.raises(Failed, match="cannot be read"):
        lookup.looked_up(200, said)


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_deep_set_of_keys_has_none(depth: int) -> None:
    assert jws.read_object(after(depth)(b'{"keys": []}')) is None


@pytest.mark.parametrize("depth", DEPTHS)
async def test_the_arguments_of_a_callers_call_are_as_shallow_as_its_body(depth: int) -> None:
    """They are JSON within a text of the body, which Anthropic takes as an object."""
    world = World(more=config("anthropic"), env={})
    arguments = after(depth)(b'{"a": 1}').decode()
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    messages = [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "x"},
    ]
    response = await world.ask("/v1/chat/completions", {"model": "any/chat", "messages": messages})
    await sound_refusal(world, response)


async def sound_refusal(world: World, response: Response) -> None:
    assert world.reports == []
    assert response.status == 400
    assert world.platform.fetch.requests == []
