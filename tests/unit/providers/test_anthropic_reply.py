from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.wire.chat import Usage
from penstock.wire.json import encode
from tests.unit.providers.replay import Played, play, splits

COUNTS = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 20,
    "cache_read_input_tokens": 30,
    "output_tokens": 1,
}
USAGE = Usage(input=10, cached_input=30, cache_write=20, output=15)


def event(type: str, **more: Any) -> bytes:
    return b"event: " + type.encode() + b"\ndata: " + encode({"type": type, **more}) + b"\n\n"


def delta(index: int = 0, **said: Any) -> bytes:
    return event("content_block_delta", index=index, delta=said)


def block(index: int, **said: Any) -> bytes:
    return event("content_block_start", index=index, content_block=said)


def over(index: int) -> bytes:
    return event("content_block_stop", index=index)


def last(reason: str) -> bytes:
    end = {"stop_reason": reason, "stop_sequence": None}
    return event("message_delta", delta=end, usage={"output_tokens": 15})


START = event("message_start", message={"id": "msg_1", "model": "claude-x", "usage": COUNTS})
TEXT = (
    block(0, type="text", text="")
    + event("ping")
    + delta(type="text_delta", text="hé €")
    + delta(type="text_delta", text="🙂")
    + over(0)
)
CALL = (
    block(1, type="tool_use", id="toolu_1", name="weather", input={})
    + delta(1, type="input_json_delta", partial_json="")
    + delta(1, type="input_json_delta", partial_json='{"city":')
    + delta(1, type="input_json_delta", partial_json=' "Ulm"}')
    + over(1)
    + block(2, type="tool_use", id="toolu_2", name="now", input={})
    + over(2)
)
STOP = event("message_stop")
WHOLE = START + TEXT + CALL + last("tool_use") + STOP


def stream(*parts: bytes) -> Played:
    return play("anthropic", parts, stream=True)


def test_a_stream_of_text_and_tools() -> None:
    played = stream(WHOLE)
    assert played.text == "hé €🙂"
    assert (played.finish, played.tools, played.ends) == ("tool_calls", True, 1)
    assert played.usage == USAGE
    first = played.chunks[0]
    assert (first["id"], first["model"], first["created"]) == ("msg_1", "claude-x", 1_700_000_000)
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    calls: dict[int, dict[str, str]] = {}
    for chunk in played.chunks:
        for call in chunk["choices"][0]["delta"].get("tool_calls", ()):
            kept = calls.setdefault(
                call["index"], {"id": call.get("id", ""), "name": "", "args": ""}
            )
            kept["name"] += call["function"].get("name", "")
            kept["args"] += call["function"]["arguments"]
    assert calls == {
        0: {"id": "toolu_1", "name": "weather", "args": '{"city": "Ulm"}'},
        1: {"id": "toolu_2", "name": "now", "args": "{}"},
    }
    assert played.chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_the_usage_chunk_is_openais() -> None:
    usage = msgspec.json.decode(stream(WHOLE).usage_data[6:-2])
    assert usage["choices"] == []
    assert usage["usage"] == {
        "prompt_tokens": 60,
        "completion_tokens": 15,
        "total_tokens": 75,
        "prompt_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 20},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


@given(splits(WHOLE))
def test_the_split_does_not_matter(parts: list[bytes]) -> None:
    assert stream(*parts).facts == stream(WHOLE).facts


def test_the_input_is_known_from_the_start() -> None:
    played = stream(START, TEXT)
    assert played.usage == Usage(input=10, cached_input=30, cache_write=20, output=1)
    assert played.failure is not None
    assert played.failure.code == "upstream_broken"


def test_the_last_usage_is_cumulative() -> None:
    more = event(
        "message_delta", delta={"stop_reason": "end_turn"}, usage={**COUNTS, "output_tokens": 9}
    )
    played = stream(START + TEXT + more + STOP)
    assert played.usage == Usage(input=10, cached_input=30, cache_write=20, output=9)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("something_new", "something_new"),
    ],
)
def test_finishes(reason: str, finish: str) -> None:
    assert stream(START + TEXT + last(reason) + STOP).finish == finish
    assert whole(stop_reason=reason).finish == finish


def test_thinking_and_unknown_events_are_left_out() -> None:
    thought = block(0, type="thinking", thinking="") + delta(type="thinking_delta", thinking="hm")
    played = stream(START + thought + event("brand_new", x=1) + over(0) + last("end_turn") + STOP)
    assert (played.text, played.finish) == ("", "stop")


ERROR = event("error", error={"type": "overloaded_error", "message": "secret"})


def test_an_error_first_was_not_processed() -> None:
    failed = stream(ERROR).raised
    assert failed is not None
    assert (failed.code, failed.processed) == ("upstream_overloaded", "no")


def test_an_error_after_the_start_is_billed() -> None:
    played = stream(START + TEXT, ERROR)
    assert played.failure is not None
    assert played.failure.processed == "yes"
    assert played.usage is not None
    assert "secret" not in played.failure.message


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"data: {}\n\n", b"data: x\n\n", TEXT, STOP, delta(1, type="input_json_delta")],
)
def test_garbage_is_raised(body: bytes) -> None:
    assert stream(body).raised is not None


PIECES = st.sampled_from(
    [START, TEXT, CALL, STOP, ERROR, last("end_turn"), over(1), b"data: {\n\n"]
)


@given(st.lists(PIECES | st.binary(max_size=40), max_size=8))
def test_garbage_raises_nothing_but_failed(parts: list[bytes]) -> None:
    played = stream(*parts)
    assert played.ends == 1 or played.raised is not None


MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "hé"},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Ulm"}},
        {"type": "text", "text": "llo"},
    ],
    "stop_reason": "tool_use",
    "usage": {**COUNTS, "output_tokens": 15},
}


def whole(**more: Any) -> Played:
    return play("anthropic", [encode({**MESSAGE, **more})])


def test_a_whole_reply() -> None:
    played = whole()
    assert (played.finish, played.tools, played.usage, played.ends) == (
        "tool_calls",
        True,
        USAGE,
        1,
    )
    reply = msgspec.json.decode(played.data)
    assert reply["object"] == "chat.completion"
    assert (reply["id"], reply["model"], reply["created"]) == ("msg_1", "claude-x", 1_700_000_000)
    assert reply["choices"][0]["message"] == {
        "role": "assistant",
        "content": "héllo",
        "refusal": None,
        "tool_calls": [
            {
                "id": "toolu_1",
                "type": "function",
                "function": {"name": "weather", "arguments": '{"city":"Ulm"}'},
            }
        ],
    }
    assert reply["usage"]["total_tokens"] == 75


def test_a_whole_reply_without_usage_or_content() -> None:
    assert whole(usage={}).usage is None
    assert whole(usage={"input_tokens": -1}).usage is None
    played = whole(content=None)
    assert played.failure is not None
    assert played.usage == USAGE


@given(st.binary(max_size=60))
def test_whole_garbage_raises_nothing_but_failed(body: bytes) -> None:
    assert play("anthropic", [body]).raised is not None


@given(*[st.integers(0, 10**9)] * 4)
def test_usage_is_conserved(fresh: int, cached: int, written: int, output: int) -> None:
    counts = {
        "input_tokens": fresh,
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": written,
        "output_tokens": output,
    }
    usage = whole(usage=counts).usage
    assert usage is not None
    assert usage.total_input == fresh + cached + written
    assert usage.total == fresh + cached + written + output
