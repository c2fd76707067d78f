"""Whole completions and streams of chunks, turned into one another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from penstock.wire import sse
from penstock.wire.chat import Event, Usage
from penstock.wire.json import encode

PIECE = 400
"""Characters in one replayed chunk."""


class _Delta(Struct, frozen=True):
    content: str | None = None


class _StreamChoice(Struct, frozen=True):
    index: int = 0
    delta: _Delta = _Delta()
    finish_reason: str | None = None


class _Chunk(Struct, frozen=True):
    id: str = ""
    created: int = 0
    model: str = ""
    choices: list[_StreamChoice] = []


class _Message(Struct, frozen=True):
    content: str | None = None


class _Choice(Struct, frozen=True):
    index: int = 0
    message: _Message = _Message()
    finish_reason: str | None = None


class Completion(Struct, frozen=True):
    """What the gateway reads of a whole `chat.completion`."""

    id: str = ""
    created: int = 0
    model: str = ""
    choices: list[_Choice] = []

    @property
    def text(self) -> str:
        """The first choice's text."""
        return (self.choices[0].message.content or "") if self.choices else ""

    @property
    def finish(self) -> str:
        return (self.choices[0].finish_reason or "") if self.choices else ""


_chunk = msgspec.json.Decoder(_Chunk)
_whole = msgspec.json.Decoder(Completion)


def read(whole: bytes) -> Completion:
    """A whole completion's fields; raises msgspec.DecodeError."""
    return _whole.decode(whole)


def deltas(block: bytes) -> str:
    """The text that the chunks of a block add to the first choice."""
    found = []
    for _, payload in sse.payloads(block):
        for choice in _chunk.decode(payload).choices:
            if choice.index == 0 and choice.delta.content:
                found.append(choice.delta.content)
    return "".join(found)


def assemble(blocks: Iterable[bytes], usage: Usage) -> bytes:
    """The whole completion that a stream of chunks amounts to (text only: streams with tool calls are never kept)."""
    head = _Chunk()
    texts: dict[int, list[str]] = {}
    finishes: dict[int, str] = {}
    for block in blocks:
        for _, payload in sse.payloads(block):
            chunk = _chunk.decode(payload)
            head = head if head.id else chunk
            for choice in chunk.choices:
                texts.setdefault(choice.index, []).append(choice.delta.content or "")
                if choice.finish_reason:
                    finishes[choice.index] = choice.finish_reason
    choices = [
        {
            "index": i,
            "message": {"role": "assistant", "content": "".join(parts), "refusal": None},
            "logprobs": None,
            "finish_reason": finishes.get(i, "stop"),
        }
        for i, parts in sorted(texts.items())
    ]
    return encode(
        {
            "id": head.id,
            "object": "chat.completion",
            "created": head.created,
            "model": head.model,
            "choices": choices,
            "usage": openai_usage(usage),
        }
    )


def replay(whole: bytes, usage: Usage) -> list[Event]:
    """The events of a stream that says what a whole completion says."""
    done = read(whole)
    blocks = []
    for choice in done.choices:
        text = choice.message.content or ""
        blocks.append(_block(done, choice.index, {"role": "assistant", "content": ""}, None))
        for start in range(0, len(text), PIECE):
            blocks.append(
                _block(done, choice.index, {"content": text[start : start + PIECE]}, None)
            )
        blocks.append(_block(done, choice.index, {}, choice.finish_reason or "stop"))
    events = [Event(data=block) for block in blocks]
    events.append(
        Event(usage_data=usage_chunk(done, usage), usage=usage, finish=done.finish, end=True)
    )
    return events


def usage_chunk(of: Completion, usage: Usage) -> bytes:
    """The chunk that tells a stream's usage, as an event."""
    return sse.data(
        encode(
            {
                "id": of.id,
                "object": "chat.completion.chunk",
                "created": of.created,
                "model": of.model,
                "choices": [],
                "usage": openai_usage(usage),
            }
        )
    )


def openai_usage(usage: Usage) -> dict[str, Any]:
    """Usage in OpenAI's words: cached input is a part of the prompt there."""
    return {
        "prompt_tokens": usage.total_input,
        "completion_tokens": usage.output,
        "total_tokens": usage.total,
        "prompt_tokens_details": {"cached_tokens": usage.cached_input},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def _block(of: Completion, index: int, delta: dict[str, Any], finish: str | None) -> bytes:
    return sse.data(
        encode(
            {
                "id": of.id,
                "object": "chat.completion.chunk",
                "created": of.created,
                "model": of.model,
                "choices": [{"index": index, "delta": delta, "finish_reason": finish}],
            }
        )
    )
