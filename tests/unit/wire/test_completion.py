"""Whole completions and streams say the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.wire import completion, sse
from penstock.wire.chat import Event, Usage
from penstock.wire.completion import PIECE, assemble, deltas, openai_usage, plain, read, replay

TEXTS = st.text(max_size=30) | st.text("ab \n", min_size=PIECE - 1, max_size=3 * PIECE)
COUNTS = st.integers(0, 10**6)
USAGES = st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)


def whole(texts: list[str], finish: str = "stop", usage: Usage | None = None) -> bytes:
    """A completion of these choices."""
    choices = [
        {
            "index": i,
            "message": {"role": "assistant", "content": text, "refusal": None},
            "logprobs": None,
            "finish_reason": finish,
        }
        for i, text in enumerate(texts)
    ]
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 7,
            "model": "gpt-4o",
            "choices": choices,
            "usage": openai_usage(usage or Usage()),
        }
    ).encode()


def blocks(events: list[Event]) -> list[bytes]:
    return [event.data for event in events if event.data]


@given(st.lists(TEXTS, min_size=1, max_size=3), st.sampled_from(["stop", "length"]), USAGES)
def test_a_replayed_completion_assembles_to_itself(
    texts: list[str], finish: str, usage: Usage
) -> None:
    said = whole(texts, finish, usage)
    events = replay(said, usage)
    assert json.loads(assemble(blocks(events), usage)) == json.loads(said)
    assert [event.end for event in events] == [False] * (len(events) - 1) + [True]
    assert events[-1].usage == usage
    assert events[-1].finish == finish


@given(TEXTS, st.integers(1, 5))
def test_it_does_not_matter_how_chunks_are_packed(text: str, number: int) -> None:
    found = blocks(replay(whole([text]), Usage()))
    packed = [b"".join(found[i : i + number]) for i in range(0, len(found), number)]
    assert json.loads(assemble(packed, Usage())) == json.loads(assemble(found, Usage()))
    assert "".join(map(deltas, packed)) == text


@given(TEXTS)
def test_pieces_are_short_and_every_block_is_an_event(text: str) -> None:
    for block in blocks(replay(whole([text]), Usage())):
        assert sse.Blocks().feed(block) == block
        assert len(deltas(block)) <= PIECE


@given(TEXTS)
def test_what_is_read_is_the_first_choice(text: str) -> None:
    found = read(whole([text, "another"], "length"))
    assert (found.text, found.finish, found.model) == (text, "length", "gpt-4o")


@pytest.mark.parametrize(
    "said", [b'{"choices": []}', b"{}", b'{"choices":[{"message":{"content":null}}]}']
)
def test_a_completion_may_say_nothing(said: bytes) -> None:
    assert (read(said).text, read(said).finish) == ("", "")


@pytest.mark.parametrize(
    "said",
    [b"", b"[]", b'{"choices": 1}', b'{"choices":[{"message":{"content":1}}]}', b"[" * 10**5,
     b'{"choices":[{"message":7}]}'],
)  # fmt: skip
def test_what_is_no_completion_says_nothing(said: bytes) -> None:
    assert (read(said).text, read(said).finish) == ("", "")


ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, 1.5, 1e300, 10**30, -1, True, "x", [], {}, ["a", {"text": "b"}, 5]]
)


@given(st.lists(ODD, min_size=6, max_size=6))
def test_whatever_a_field_holds_is_read_told_and_assembled(odd: list[Any]) -> None:
    id, created, model, index, said, finish = odd
    head = {"id": id, "created": created, "model": model, "choices": odd}
    for inner in ("message", "delta"):
        choice = {"index": index, inner: {"content": said}, "finish_reason": finish}
        for choices in ([choice], [{**choice, inner: said}], odd):
            data = json.dumps(head | {"choices": choices}).encode()
            json.loads(assemble(blocks(replay(data, Usage())), Usage()))
            json.loads(assemble([sse.data(data)], Usage()))
            plain(data)
            deltas(sse.data(data))


def test_what_is_odd_is_not_told_as_if_it_were_text_alone() -> None:
    parts = {"choices": [{"message": {"content": [{"type": "text", "text": "Hi"}]}}]}
    assert read(json.dumps(parts).encode()).text == "Hi"
    assert not plain(json.dumps(parts).encode())
    assert assemble([chunk(delta={"content": ["Hi"]})], Usage(), exactly=True) == b""


def chunk(**choice: Any) -> bytes:
    return sse.data(json.dumps({"id": "c", "choices": [{"index": 0, **choice}]}).encode())


def test_foreign_chunks_are_assembled_too() -> None:
    found = [
        chunk(delta={"role": "assistant"}),
        chunk(delta={"content": "He", "reasoning": "no"}) + sse.KEEP_ALIVE,
        chunk(delta={"content": None}),
        chunk(delta={"content": "y"}, finish_reason="length"),
        sse.data(b'{"id":"c","choices":[],"usage":{"prompt_tokens":1}}'),
    ]
    said = json.loads(assemble(found, Usage(input=3, output=2)))
    assert said["choices"][0]["message"]["content"] == "Hey"
    assert said["choices"][0]["finish_reason"] == "length"
    assert said["usage"]["total_tokens"] == 5


@given(USAGES)
def test_usage_is_conserved_in_openais_words(usage: Usage) -> None:
    told = openai_usage(usage)
    assert told["prompt_tokens"] + told["completion_tokens"] == told["total_tokens"] == usage.total
    assert told["prompt_tokens_details"]["cached_tokens"] == usage.cached_input
    ((_, payload),) = sse.payloads(completion.usage_chunk(read(whole(["x"])), usage))
    assert json.loads(payload)["usage"] == told
    assert json.loads(payload)["choices"] == []
