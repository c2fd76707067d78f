from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.providers.openai_reply import plain
from penstock.wire.chat import Usage
from penstock.wire.json import encode
from penstock.wire.sse import DONE, data
from tests.unit.providers.replay import Played, play, splits


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return data(encode({**head, "choices": choices, **more}))


def spent(prompt: int = 9, output: int = 2, **more: Any) -> dict[str, Any]:
    total = prompt + output
    return {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": total, **more}


ROLE = chunk({"role": "assistant", "content": "", "refusal": None}, usage=None)
TEXT = chunk({"content": "hé €🙂"}, usage=None) + chunk({"content": "llo"}, usage=None)
STOP = chunk({}, "stop", usage=None)
USAGE = chunk(usage=spent(prompt_tokens_details={"cached_tokens": 4}))
WHOLE = ROLE + TEXT + STOP + USAGE + DONE


def stream(*parts: bytes) -> Played:
    return play("openai", parts, stream=True)


def test_a_whole_stream() -> None:
    played = stream(WHOLE)
    assert played.data == ROLE + TEXT + STOP
    assert played.usage_data == USAGE
    assert played.usage == Usage(input=5, cached_input=4, output=2)
    assert (played.finish, played.tools, played.ends, played.failure) == ("stop", False, 1, None)
    assert played.text == "hé €🙂llo"


@given(splits(WHOLE))
def test_the_split_does_not_matter(parts: list[bytes]) -> None:
    assert stream(*parts).facts == stream(WHOLE).facts


@given(splits(WHOLE.replace(b"\n", b"\r\n")))
def test_crlf_reads_as_lf(parts: list[bytes]) -> None:
    assert stream(*parts).facts == stream(WHOLE).facts


def test_an_empty_read_between_cr_and_lf_is_no_blank_line() -> None:
    parts = STOP.replace(b"\n", b"\r\n").partition(b"\n")
    assert stream(parts[0], b"", parts[1] + parts[2], DONE).data == STOP


def test_what_carries_no_mark_passes_unread() -> None:
    assert plain(TEXT) == len(TEXT)
    assert plain(TEXT + ROLE + TEXT) == len(TEXT + ROLE + TEXT)
    assert plain(TEXT + STOP + TEXT) == len(TEXT)
    assert plain(STOP) == plain(USAGE) == plain(DONE) == 0


@pytest.mark.parametrize("word", ['"usage"', '"usage":{"prompt_tokens":1}', "[DONE]", '"error"'])
def test_what_a_text_says_is_no_mark(word: str) -> None:
    said = chunk({"content": word})
    played = stream(ROLE + said + STOP + DONE)
    assert played.text == word
    assert played.usage is None
    assert played.failure is None


def test_comments_events_and_many_lines() -> None:
    parts = b": keep-alive\n\nevent: message\nid: 7\n" + ROLE
    many = b'data: {"choices":[{"index":0,\ndata: "delta":{"content":"x"}}]}\n\n'
    played = stream(parts, many, b":\n\n", STOP + DONE)
    assert played.data.startswith(ROLE)
    assert b"keep-alive" not in played.data
    assert played.text == "x"
    assert played.ends == 1


def test_spaced_json_is_read_the_same() -> None:
    spaced = b'data: {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}\n\n'
    assert stream(ROLE, STOP, spaced, DONE).usage == Usage(input=3, output=1)


def test_usage_twice_counts_once_and_the_last() -> None:
    played = stream(ROLE, chunk({"content": "a"}, usage=spent(9, 1)), STOP, USAGE, USAGE, DONE)
    assert [usage.output for usage in played.usages] == [1, 2, 2]
    assert played.usage == Usage(input=5, cached_input=4, output=2)


def test_usage_on_a_chunk_with_choices_stays_in_the_stream() -> None:
    last = chunk({}, "length", usage=spent())
    played = stream(ROLE + last + DONE)
    assert played.data == ROLE + last
    assert played.usage_data == b""
    assert (played.usage, played.finish) == (Usage(input=9, output=2), "length")


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": -1},
        {"prompt_tokens": 1.5},
        {"prompt_tokens": "9"},
        {"prompt_tokens": True},
        {"prompt_tokens": 2**63},
        {"completion_tokens": 5},
        spent(prompt_tokens_details={"cached_tokens": 10}),
        spent(completion_tokens_details={"reasoning_tokens": 3}),
        [],
        "many",
        7,
    ],
)
def test_usage_that_cannot_be_is_not_reported(usage: Any) -> None:
    played = stream(ROLE, STOP, chunk(usage=usage), DONE)
    assert (played.usage, played.failure, played.ends) == (None, None, 1)


@given(
    prompt=st.integers(0, 10**6),
    cached=st.integers(0, 10**6),
    written=st.integers(0, 10**6),
    output=st.integers(0, 10**6),
    reasoning=st.integers(0, 10**6),
)
def test_usage_is_conserved(
    prompt: int, cached: int, written: int, output: int, reasoning: int
) -> None:
    said = spent(
        prompt,
        output,
        prompt_tokens_details={"cached_tokens": cached, "cache_write_tokens": written},
        completion_tokens_details={"reasoning_tokens": reasoning},
    )
    usage = stream(ROLE, STOP, chunk(usage=said), DONE).usage
    if cached + written > prompt or reasoning > output:
        assert usage is None
    else:
        assert usage is not None
        assert usage.input + usage.cached_input + usage.cache_write == prompt
        assert (usage.output, usage.reasoning) == (output, reasoning)


def test_reasoning_outside_of_the_output_is_billed() -> None:
    said = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 45}
    details = {"completion_tokens_details": {"reasoning_tokens": 30}}
    usage = stream(ROLE, STOP, chunk(usage={**said, **details}), DONE).usage
    assert usage == Usage(input=10, output=35, reasoning=30)


def test_tool_calls_are_seen() -> None:
    called = chunk({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f"}}]})
    played = stream(ROLE, called, chunk({}, "stop"), DONE)
    assert played.tools
    assert played.data == ROLE + called + chunk({}, "stop")


def test_a_refusal_is_not_a_stop() -> None:
    played = stream(ROLE, chunk({"refusal": "no"}), STOP, DONE)
    assert played.finish == "refusal"


def test_choices_end_as_the_worst() -> None:
    first = chunk({}, "length")
    assert stream(ROLE, first, STOP, DONE).finish == "length"
    assert stream(ROLE, STOP, first, DONE).finish == "length"


def test_a_missing_end_mark_is_a_failure() -> None:
    played = stream(ROLE, TEXT, STOP, USAGE)
    assert played.data == ROLE + TEXT + STOP
    assert played.failure is not None
    assert (played.failure.code, played.failure.processed) == ("upstream_broken", "yes")
    assert played.usage == Usage(input=5, cached_input=4, output=2)
    assert played.ends == 1


def test_an_end_mark_without_its_blank_line_counts() -> None:
    assert stream(ROLE, STOP, b"data: [DONE]").failure is None
    assert stream(ROLE, STOP, b"data: [DONE]\n").ends == 1


def test_an_error_first_is_raised_and_may_fail_over() -> None:
    played = stream(b'data: {"error":{"message":"secret sk-1","code":"rate_limit_exceeded"}}\n\n')
    assert played.raised is not None
    assert (played.raised.code, played.raised.processed) == ("upstream_overloaded", "no")
    assert "secret" not in played.raised.message


def test_an_error_after_tokens_is_the_last_event() -> None:
    played = stream(ROLE + TEXT, b'event: error\ndata: {"message":"x"}\n\n', STOP, DONE)
    assert played.data == ROLE + TEXT
    assert played.failure is not None
    assert played.ends == 1


def test_bytes_before_the_failure_in_one_read_go_out() -> None:
    played = stream(ROLE + b"data: <html>\n\n" + STOP)
    assert played.data == ROLE
    assert played.failure is not None
    assert played.failure.code == "upstream_unreadable"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>not found</html>",
        b'{"id":"chatcmpl-1","choices":[]}',
        b"data: nonsense\n\n",
        b'data: {"choices":7}\n\n',
        b"data: [1]\n\n",
        b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n',
        b'data: {"a":' + b"[" * 100_000 + b"\n\n",
    ],
)
def test_garbage_is_raised(body: bytes) -> None:
    assert stream(body).raised is not None


def test_a_line_past_the_cap_is_cut() -> None:
    played = stream(ROLE, b"data: " + b"x" * (10 << 20), b"\n\n")
    assert played.failure is not None
    assert played.failure.code == "upstream_too_large"


def test_what_follows_the_end_is_ignored() -> None:
    assert stream(WHOLE, WHOLE).facts == stream(WHOLE).facts


PIECES = st.sampled_from(
    [ROLE, TEXT, STOP, USAGE, DONE, b"data: {\n\n", b"\r\n", b"data:\n\n", b": c\n\n"]
)


@given(st.lists(PIECES | st.binary(max_size=40), max_size=8))
def test_garbage_raises_nothing_but_failed(parts: list[bytes]) -> None:
    played = stream(*parts)
    assert played.ends == 1 or played.raised is not None
