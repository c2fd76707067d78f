"""Odd but plausible replies of targets: never an unforeseen error, one final row a request, no hold left open."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.wire.http import JSON, Request, Response
from tests.path.world import SECRET, World, completion, payloads, read, streamed, usage

OPENAI, PRODUCT = "/v1/chat/completions", "/api/ai/chat/completions"
PARTS = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "Hello"}]
HALF = "\ud83d"
"""Half an emoji: what a server that cuts its text by UTF-16 sends in two escapes. It is no JSON text: unreadable."""


def chunks(*deltas: Any) -> list[Any]:
    """The payloads of a stream in OpenAI's form."""
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    ended: list[tuple[Any, str | None]] = [(delta, None) for delta in deltas] + [({}, "stop")]
    found: list[Any] = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
        for delta, finish in ended
    ]
    return [*found, {**head, "choices": [], "usage": usage()}]


CHUNKS = chunks({"role": "assistant", "content": ""}, {"content": "Hel"}, {"content": "lo"})

ANTHROPIC = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
    "content": [{"type": "text", "text": "Hello"}], "usage": {"input_tokens": 9, "output_tokens": 3},
}  # fmt: skip
STEPS: list[Any] = [
    {"type": "message_start", "message": {**ANTHROPIC, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
    {"type": "message_stop"},
]
CLOUDFLARE = {"success": True, "errors": [], "result": {
    "response": "Hello", "usage": usage(),
    "tool_calls": [{"name": "f", "arguments": {"a": 1}}],
}}  # fmt: skip
PIECES: list[Any] = [
    {"response": "Hel"}, {"response": "lo"}, {"tool_calls": [{"name": "f", "arguments": {"a": 1}}]},
    {"response": "", "usage": usage()},
]  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A kind of provider with a good reply of its own, whole and as a stream's payloads."""

    name: str
    whole: Any
    stream: list[Any]
    done: bytes = b"data: [DONE]\n\n"


KINDS = (
    Kind("openai", completion("Hello"), CHUNKS),
    Kind("anthropic", ANTHROPIC, STEPS, b""),
    Kind("workers_ai", CLOUDFLARE, PIECES),
)


def config(kind: str) -> str:
    return f"""
[auth]
issuers = [{{ mode = "hs256", secret = "{SECRET}" }}]
[providers.any]
kind = "{kind}"
base_url = "http://any.test/v1"
api_key = "sk-any"
account = "acc"
[[targets]]
provider = "any"
model = "chat"
[routes.auto]
targets = ["any/chat"]
"""


def world_of(kind: Kind, whole: Any, stream: list[Any]) -> World:
    """A gateway whose one target always replies so."""

    def upstream(request: Request) -> Response:
        assert isinstance(request.body, bytes)
        if not json.loads(request.body).get("stream"):
            return Response(200, [JSON], json.dumps(whole).encode())
        parts = [b"data: " + json.dumps(payload).encode() + b"\n\n" for payload in stream]
        return streamed([*parts, kind.done])

    return World(upstream, more=config(kind.name), env={})


async def sound(world: World, said: Response) -> bytes:
    """Reads a reply to its end; whatever it says, it was foreseen."""
    data = await read(said)
    assert world.reports == []
    assert said.status in (200, 502)
    return data


async def balanced(world: World) -> None:
    """Every request has ended in exactly one final row, and so no hold is open."""
    rows = await world.ledger("request_id, stage")
    finals = sorted(id for id, stage in rows if stage == "final")
    assert finals == sorted({id for id, _ in rows})


# Anything, anywhere


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place within a JSON value."""
    inner: Any = ()
    if isinstance(value, (dict, list)):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = [path] if path else []
    for name, child in inner:
        found += places(child, (*path, name))
    return found


ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, "", "x", HALF, 0, -1, 1.5, 1e300, 10**30, True, [], {}, ["x"], [None], [{}], {"a": 1}, PARTS, [[]],
     float("inf"), "stop", [{"index": None}], {"content": None}]
)  # fmt: skip


@st.composite
def mutated(draw: Callable[..., Any], good: Any) -> Any:
    """A good value with a few of its parts replaced, left out or added."""
    value = deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        there = places(value)
        if not there:
            break
        *way, last = draw(st.sampled_from(there))
        parent = value
        for step in way:
            parent = parent[step]
        match draw(st.sampled_from(["replace", "replace", "leave out", "add"])):
            case "replace":
                parent[last] = deepcopy(draw(ODD))
            case "leave out":
                del parent[last]
            case _ if isinstance(parent, dict):
                parent["made_up"] = deepcopy(draw(ODD))
    return value


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@given(data=st.data())
@settings(max_examples=150)
async def test_whatever_a_target_says_is_foreseen_and_booked_once(
    kind: Kind, data: st.DataObject
) -> None:
    world = world_of(kind, data.draw(mutated(kind.whole)), data.draw(mutated(kind.stream)))
    asks = data.draw(
        st.lists(
            st.tuples(st.sampled_from([OPENAI, PRODUCT]), st.booleans()), min_size=2, max_size=4
        )
    )
    for path, stream in asks:
        await sound(world, await world.chat(path=path, stream=stream))
    await balanced(world)


# What is known to come


ODD_HEADS: list[dict[str, Any]] = [
    {"id": None}, {"created": None}, {"model": None}, {"created": 1.5}, {"created": "1"}, {"created": 10**30},
    {"id": 7}, {"model": ["m"]}, {"created": 1e300},
]  # fmt: skip


@pytest.mark.parametrize("path", [OPENAI, PRODUCT])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("odd", ODD_HEADS, ids=str)
async def test_an_odd_head_hides_no_answer(path: str, stream: bool, odd: dict[str, Any]) -> None:
    world = world_of(KINDS[0], completion("Hello") | odd, [chunk | odd for chunk in CHUNKS])
    # Asked again it is kept, or bought again; in the other form it is told all the same.
    for form in (stream, stream, not stream):
        said = await world.chat(path=path, stream=form)
        assert said.status == 200
        assert spoken(await sound(world, said), path, form) == "Hello"
    await balanced(world)


CONTENTS: list[tuple[Any, str]] = [
    (PARTS, "Hello"),
    (["Hel", "lo"], "Hello"),
    ([{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}, None, {}], "Hello"),
    (5, ""),
    ({}, ""),
]


@pytest.mark.parametrize(("content", "text"), CONTENTS, ids=str)
@pytest.mark.parametrize("stream", [False, True])
async def test_odd_content_is_told_as_far_as_it_is_text(
    content: Any, text: str, stream: bool
) -> None:
    said = completion("")
    said["choices"][0]["message"]["content"] = content
    world = world_of(KINDS[0], said, chunks({"content": content}))
    for form in (stream, stream, not stream):
        reply = await world.chat(path=PRODUCT, stream=form)
        assert reply.status == 200
        assert spoken(await sound(world, reply), PRODUCT, form) == text
    # The other face passes it as it is.
    other = await sound(world, await world.chat(stream=stream))
    assert json.dumps(content).encode() in other
    await balanced(world)


def spoken(data: bytes, path: str, stream: bool) -> str:
    """The text of a good reply."""
    if not stream:
        whole = json.loads(data)
        message = whole["choices"][0]["message"] if path == OPENAI else whole["message"]
        return str(message["content"])
    *found, last = payloads(data)
    assert last == "[DONE]"
    if path == PRODUCT:
        told = "".join(piece.get("delta", "") for piece in found)
        assert found[-1]["message"]["content"] == told
        return told
    return "".join(
        choice["delta"].get("content") or "" for chunk in found for choice in chunk["choices"]
    )
