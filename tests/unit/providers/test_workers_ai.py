from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from penstock.config import Provider, Target
from penstock.providers import workers_ai
from penstock.wire.chat import Usage
from penstock.wire.json import encode
from penstock.wire.sse import DONE, data
from tests.unit.providers.replay import Played, ask, call, play, sent, splits

MODEL = "@cf/ibm-granite/granite-4.0-h-micro"
TARGET = Target("workers_ai", MODEL)
AT = Provider("workers_ai", account="acc", api_key="t")
SPENT = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


def made(max_output: int | None = None, **body: Any) -> dict[str, Any]:
    asked = call("workers_ai", MODEL, **body)
    return sent(workers_ai.chat(replace(asked, max_output=max_output, at=AT)))


def test_the_request() -> None:
    request = workers_ai.chat(replace(call("workers_ai", MODEL), at=AT))
    url = b"https://api.cloudflare.com/client/v4/accounts/acc/ai/run/" + MODEL.encode()
    assert request.target == url
    assert workers_ai.key_headers(AT) == (("authorization", "Bearer t"),)
    assert made() == {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 4096}


def test_what_is_translated() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    body = made(
        7,
        stream=True,
        max_tokens=99,
        temperature=1.5,
        seed=3,
        user="u",
        tools=[TOOL],
        tool_choice="auto",
        messages=[
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": parts},
        ],
    )
    assert body == {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "a\nb"},
        ],
        "max_tokens": 7,
        "stream": True,
        "temperature": 1.5,
        "seed": 3,
        "tools": [TOOL],
    }
    assert "tools" not in made(tools=[TOOL], tool_choice="none")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"n": 2}, "n"),
        ({"stop": "x"}, "stop"),
        ({"logprobs": True}, "logprobs"),
        ({"reasoning_effort": "low"}, "reasoning_effort"),
        ({"tools": [TOOL], "tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"top_k": 7}, "top_k"),
        ({"user": "u", "n": 1, "tools": [TOOL], "tool_choice": "auto"}, None),
    ],
)
def test_what_it_has_no_words_for(body: dict[str, Any], field: str | None) -> None:
    assert workers_ai.inexpressible(ask(**body), TARGET) == field


def piece(response: Any, **more: Any) -> bytes:
    return data(encode({"response": response, "p": "abcdef", **more}))


WHOLE = piece("hé €") + piece(4) + piece("🙂") + piece("", usage=SPENT) + DONE


def stream(*parts: bytes, **body: Any) -> Played:
    return play("workers_ai", parts, stream=True, **body)


def test_a_stream() -> None:
    played = stream(WHOLE)
    assert played.text == "hé €4🙂"
    assert (played.finish, played.tools, played.ends) == ("stop", False, 1)
    assert played.usage == Usage(input=9, output=2)
    assert played.chunks[0]["id"] == "chatcmpl-9"
    assert played.chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": "hé €"}
    assert played.chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert msgspec.json.decode(played.usage_data[6:-2])["usage"]["prompt_tokens"] == 9


@given(splits(WHOLE))
def test_the_split_does_not_matter(parts: list[bytes]) -> None:
    assert stream(*parts).facts == stream(WHOLE).facts


def test_an_answer_that_used_its_cap_was_cut() -> None:
    assert stream(WHOLE, max_tokens=2).finish == "length"
    assert stream(WHOLE, max_tokens=3).finish == "stop"
    assert whole({"response": "a b", "usage": SPENT}, max_tokens=2).finish == "length"


def test_a_stream_in_openais_form_passes() -> None:
    said = {"index": 0, "delta": {"content": "x"}, "finish_reason": None}
    text = data(encode({"choices": [said]}))
    stop = data(encode({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
    usage = data(encode({"choices": [], "usage": SPENT}))
    played = stream(text + stop, usage, DONE)
    assert (played.data, played.usage_data) == (text + stop, usage)
    assert (played.finish, played.usage) == ("stop", Usage(input=9, output=2))


def test_tool_calls_of_a_stream() -> None:
    tool = piece(None, tool_calls=[{"name": "weather", "arguments": {"city": "Ulm"}}])
    played = stream(tool, piece("", usage=SPENT), DONE)
    assert (played.tools, played.finish) == (True, "tool_calls")
    called = played.chunks[0]["choices"][0]["delta"]["tool_calls"][0]
    assert called["function"] == {"name": "weather", "arguments": '{"city":"Ulm"}'}
    assert (called["index"], called["type"]) == (0, "function")
    assert called["id"]


def test_a_cut_stream_and_an_error_in_it() -> None:
    played = stream(piece("a"))
    assert played.failure is not None
    assert played.failure.code == "upstream_broken"
    played = stream(piece("a"), data(b'{"errors":[{"message":"secret"}]}'))
    assert played.failure is not None
    assert "secret" not in played.failure.message


PIECES = st.sampled_from([piece("a"), piece({}), piece("", usage=SPENT), DONE, data(b"{}")])


@given(st.lists(PIECES | st.binary(max_size=40), max_size=8))
def test_garbage_raises_nothing_but_failed(parts: list[bytes]) -> None:
    played = stream(*parts)
    assert played.ends == 1 or played.raised is not None


def whole(result: Any, **body: Any) -> Played:
    envelope = {"result": result, "success": True, "errors": [], "messages": []}
    return play("workers_ai", [encode(envelope)], **body)


def test_a_whole_reply_in_its_envelope_or_bare() -> None:
    result = {"response": "hi", "usage": SPENT}
    for played in (whole(result), play("workers_ai", [encode(result)])):
        reply = msgspec.json.decode(played.data)
        assert reply["choices"][0]["message"]["content"] == "hi"
        assert (reply["id"], reply["model"]) == ("chatcmpl-9", "gpt-4o")
        assert (played.finish, played.usage) == ("stop", Usage(input=9, output=2))


def test_a_whole_reply_in_openais_form_passes() -> None:
    choice = {"index": 0, "message": {"content": "hi"}, "finish_reason": "length"}
    result = {"id": "x", "choices": [choice], "usage": SPENT}
    played = whole(result)
    assert played.data == encode(result)
    assert (played.finish, played.usage) == ("length", Usage(input=9, output=2))


def test_tools_and_json_mode() -> None:
    called = {"tool_calls": [{"name": "f", "arguments": {}}], "usage": SPENT}
    assert (whole(called).tools, whole(called).finish) == (True, "tool_calls")
    reply = msgspec.json.decode(whole({"response": {"a": 1}}).data)
    assert reply["choices"][0]["message"]["content"] == '{"a":1}'


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"success":false,"errors":[]}', b'{"result":{}}']
)
def test_replies_that_cannot_be_read(body: bytes) -> None:
    assert play("workers_ai", [body]).raised is not None


@given(st.binary(max_size=60))
def test_whole_garbage_raises_nothing_but_failed(body: bytes) -> None:
    assert play("workers_ai", [body]).raised is not None


BGE = Target("cf", "@cf/baai/bge-base-en-v1.5", "embed", dimension=2)


def test_embeddings() -> None:
    request = workers_ai.embed(["a", "b"], BGE, AT, {"user": "u"})
    assert request.target.endswith(b"/accounts/acc/ai/run/@cf/baai/bge-base-en-v1.5")
    assert sent(request) == {"text": ["a", "b"]}
    result = {"shape": [2, 2], "data": [[1, 2], [3, 4]], "pooling": "cls"}
    for body in (encode({"result": result, "success": True}), encode(result)):
        vectors, usage = workers_ai.vectors(body, BGE, ["a" * 9000, "é"])
        assert vectors.values == [[1, 2], [3, 4]]
        assert usage == Usage(input=512 + 4, estimated=True)
    said = encode({"result": {**result, "usage": {"prompt_tokens": 5, "total_tokens": 5}}})
    assert workers_ai.vectors(said, BGE, ["a", "b"])[1] == Usage(input=5)
