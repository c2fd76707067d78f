from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from penstock.config import Provider, Target
from penstock.providers import EMBED, sandbox
from penstock.providers.hashed import hashed_vectors
from penstock.wire.chat import Usage
from penstock.wire.http import Response
from tests.unit.providers.replay import Played, call, play

AT = Provider("sandbox", "http://sandbox.invalid/v1")
TOOL = {"type": "function", "function": {"name": "weather"}}


def answer(**body: Any) -> Response:
    request = sandbox.chat(replace(call("sandbox", **body), at=AT))
    return sandbox.reply(request, "chatcmpl-7", 1_700_000_000)


def chat(**body: Any) -> Played:
    response = answer(**body)
    assert isinstance(response.body, bytes)
    return play("sandbox", [response.body], **body)


def message(played: Played) -> dict[str, Any]:
    return dict(msgspec.json.decode(played.data)["choices"][0]["message"])


def test_a_reply_says_what_it_is() -> None:
    played = chat()
    content = message(played)["content"]
    assert content.startswith("[sandbox] No model provider is configured")
    assert content.endswith("You said: hello")
    assert (played.finish, played.usage) == ("stop", Usage(input=2, output=-(-len(content) // 4)))


def test_a_stream_says_the_same() -> None:
    streamed = chat(stream=True)
    assert streamed.text == message(chat())["content"]
    assert (streamed.finish, streamed.usage, streamed.ends) == ("stop", chat().usage, 1)
    assert answer(stream=True).header("content-type") == "text/event-stream; charset=utf-8"


@given(st.text(max_size=300), st.booleans())
def test_naughty_strings_stay_literal(said: str, stream: bool) -> None:
    played = chat(stream=stream, messages=[{"role": "user", "content": said}])
    content = played.text if stream else message(played)["content"]
    assert content == sandbox.LABEL + said[:80]


@given(st.integers(1, 80))
def test_a_cap_is_honoured(most: int) -> None:
    played = chat(max_tokens=most, messages=[{"role": "user", "content": "é€🙂" * 30}])
    assert played.usage is not None
    assert played.usage.output <= most
    assert played.finish == ("length" if played.usage.output == most else "stop")


def test_choices_are_metered_each() -> None:
    one, three = chat(), chat(n=3)
    assert one.usage is not None
    assert three.usage == Usage(input=2, output=3 * one.usage.output)
    assert len(msgspec.json.decode(three.data)["choices"]) == 3
    assert chat(n=3, stream=True).usage == three.usage


@pytest.mark.parametrize(
    "choice", ["required", {"type": "function", "function": {"name": "weather"}}]
)
def test_a_demanded_tool_is_called(choice: Any) -> None:
    for stream in (False, True):
        played = chat(stream=stream, tools=[TOOL], tool_choice=choice)
        assert (played.tools, played.finish) == (True, "tool_calls")
    assert message(chat(tools=[TOOL], tool_choice=choice))["tool_calls"][0]["function"] == {
        "name": "weather",
        "arguments": "{}",
    }
    assert not chat(tools=[TOOL], tool_choice="auto").tools


def test_json_mode_is_json() -> None:
    content = message(chat(response_format={"type": "json_object"}))["content"]
    assert list(msgspec.json.decode(content)) == ["sandbox"]


def test_embeddings_come_the_usual_way() -> None:
    target = Target("sandbox", "hashed-lexical-384", "embed")
    for kind in ("sandbox", "hashed"):
        request = EMBED[kind].embed(["a b", "c"], target, AT, {})
        response = sandbox.reply(request, "id", 1)
        assert isinstance(response.body, bytes)
        vectors, usage = EMBED[kind].vectors(response.body, target, ["a b", "c"])
        assert vectors.values == hashed_vectors(["a b", "c"])
        assert (vectors.dimension, vectors.tokens, usage) == (384, 2, Usage(input=2))


def cosine(a: str, b: str) -> float:
    one, two = hashed_vectors([a, b])
    return sum(x * y for x, y in zip(one, two, strict=True))


def test_shared_words_are_near() -> None:
    near = cosine("How do I reset my password?", "reset the password")
    assert near > 0.3
    assert near > cosine("How do I reset my password?", "bake a chocolate cake") + 0.2
    assert cosine("Straße", "STRASSE") == pytest.approx(1)
    assert cosine("dog bites man", "man bites dog") < 0.99


@given(st.lists(st.text(max_size=40), max_size=5), st.integers(8, 512))
def test_vectors_have_length_one_and_are_the_same_each_time(texts: list[str], size: int) -> None:
    vectors = hashed_vectors(texts, size)
    assert vectors == hashed_vectors(texts, size)
    for vector in vectors:
        assert len(vector) == size
        assert math.isclose(sum(x * x for x in vector), 1, rel_tol=1e-9)
