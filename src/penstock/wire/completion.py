"""Whole completions and streams of chunks, turned into one another."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from penstock.wire import sse
from penstock.wire.chat import Event, Usage
from penstock.wire.json import encode

PIECE = 400
"""Characters in one replayed chunk."""

MOST_NUMBER = (1 << 53) - 1
"""Larger numbers are none that could be told again."""
Number = Annotated[int, Meta(ge=0, le=MOST_NUMBER)]
UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeError)
T = TypeVar("T", bound="_Chunk | Completion")


class _Delta(Struct, frozen=True):
    content: str | None = None
    refusal: str | None = None


class _StreamChoice(Struct, frozen=True):
    index: Number = 0
    delta: _Delta = _Delta()
    finish_reason: str | None = None


class _Chunk(Struct, frozen=True):
    id: str = ""
    created: Number = 0
    model: str = ""
    choices: list[_StreamChoice] = []


class _TextDelta(Struct, frozen=True, forbid_unknown_fields=True):
    role: str | None = None
    content: str | None = None
    refusal: None = None
    tool_calls: None = None
    function_call: None = None


class _TextChoice(Struct, frozen=True, forbid_unknown_fields=True):
    index: Number = 0
    delta: _TextDelta = _TextDelta()
    finish_reason: str | None = None
    logprobs: None = None


class _TextChunk(Struct, frozen=True):
    """A chunk of nothing but text: what nearly all are, told while it is decoded."""

    id: str = ""
    created: Number = 0
    model: str = ""
    choices: list[_TextChoice] = []


class _Message(Struct, frozen=True):
    content: str | None = None
    refusal: str | None = None


class _Choice(Struct, frozen=True):
    index: Number = 0
    message: _Message = _Message()
    finish_reason: str | None = None


class Completion(Struct, frozen=True):
    """What the gateway reads of a whole `chat.completion`."""

    id: str = ""
    created: Number = 0
    model: str = ""
    choices: list[_Choice] = []

    @property
    def text(self) -> str:
        """What the first choice says: its text, or why it refused to say one."""
        if not self.choices:
            return ""
        message = self.choices[0].message
        return message.content or message.refusal or ""

    @property
    def finish(self) -> str:
        return (self.choices[0].finish_reason or "") if self.choices else ""


_chunk = msgspec.json.Decoder(_Chunk)
_whole = msgspec.json.Decoder(Completion)
_text_chunk = msgspec.json.Decoder(_TextChunk)
_any = msgspec.json.Decoder(dict[str, Any])


def read(whole: bytes) -> Completion:
    """A whole completion's fields, as far as they can be read: it was paid for, so that nothing of it raises."""
    return _read(whole, _whole, "message")


def deltas(block: bytes) -> str:
    """The text that the chunks of a block add to the first choice."""
    found = []
    for _, payload in sse.payloads(block):
        for choice in _read(payload, _chunk, "delta").choices:
            said = choice.delta.content or choice.delta.refusal
            if choice.index == 0 and said:
                found.append(said)
    return "".join(found)


def plain(whole: bytes) -> bool:
    """Whether a whole completion says no more than text, so that `replay` loses nothing of it."""
    return _bare(whole, "message")


def empty(whole: bytes) -> bool:
    """Whether no choice of a whole completion says anything."""
    choices = read(whole).choices
    return not any(choice.message.content for choice in choices)


def _read(payload: bytes, decoder: msgspec.json.Decoder[T], inner: str) -> T:
    try:
        return decoder.decode(payload)
    except UNREADABLE:
        return msgspec.convert(_mended(payload, inner), decoder.type)


def _mended(payload: bytes, inner: str) -> dict[str, Any]:
    """An odd completion or chunk in the strict form; what cannot be read of it is left out."""
    try:
        # Unlike msgspec this takes numbers of any size, which a field that nobody asked for may hold.
        found = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        "id": _text(found.get("id")),
        "created": _number(found.get("created")),
        "model": _text(found.get("model")),
        "choices": [
            _mended_choice(choice, inner, place)
            for place, choice in enumerate(_list(found.get("choices")))
            if isinstance(choice, dict)
        ],
    }


def _mended_choice(choice: dict[str, Any], inner: str, place: int) -> dict[str, Any]:
    said = choice.get(inner)
    said = said if isinstance(said, dict) else {}
    return {
        "index": _number(choice.get("index"), place),
        inner: {"content": _text(said.get("content")), "refusal": _text(said.get("refusal"))},
        "finish_reason": _text(choice.get("finish_reason")) or None,
    }


def _text(value: Any) -> str:
    """A text, or that of a list's parts: some servers send content as parts."""
    if isinstance(value, str):
        return value
    parts = (part.get("text") if isinstance(part, dict) else part for part in _list(value))
    return "".join(_text(part) for part in parts if isinstance(part, str))


def _number(value: Any, default: int = 0) -> int:
    known = isinstance(value, (int, float)) and 0 <= value <= MOST_NUMBER
    return int(value) if known else default


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _bare(payload: bytes, inner: str) -> bool:
    """Whether a completion or chunk says no more than text, in the form that is read strictly."""
    try:
        choices = _any.decode(payload).get("choices")
    except UNREADABLE:
        return False
    return all(_says_text(choice, inner) for choice in _list(choices))


def _says_text(choice: Any, inner: str) -> bool:
    if not isinstance(choice, dict):
        return False
    said = choice.get(inner) or {}
    if not (isinstance(said, dict) and isinstance(said.get("content"), str | None)):
        return False
    return not any(choice[name] for name in choice.keys() - {"index", "finish_reason", inner}) and (
        not any(said[name] for name in said.keys() - {"role", "content"})
    )


def _read_chunk(payload: bytes) -> tuple[_Chunk | _TextChunk, bool]:
    """A chunk, and whether it says no more than text."""
    try:
        return _text_chunk.decode(payload), True
    except UNREADABLE:
        return _read(payload, _chunk, "delta"), _bare(payload, "delta")


def assemble(blocks: Iterable[bytes], usage: Usage, *, exactly: bool = False) -> bytes:
    """The whole completion that a stream of chunks amounts to: its text and refusals.

    With `exactly`, empty where the chunks said more than that.
    """
    head: _Chunk | _TextChunk = _Chunk()
    texts: dict[int, list[str]] = {}
    refusals: dict[int, str] = {}
    finishes: dict[int, str] = {}
    for block in blocks:
        for _, payload in sse.payloads(block):
            chunk, bare = _read_chunk(payload)
            if exactly and not bare:
                return b""
            head = head if head.id else chunk
            for choice in chunk.choices:
                texts.setdefault(choice.index, []).append(choice.delta.content or "")
                if choice.delta.refusal:
                    refusals[choice.index] = refusals.get(choice.index, "") + choice.delta.refusal
                if choice.finish_reason:
                    finishes[choice.index] = choice.finish_reason
    choices = [
        {
            "index": i,
            "message": {
                "role": "assistant",
                "content": "".join(parts),
                "refusal": refusals.get(i),
            },
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
        if choice.message.refusal:
            blocks.append(_block(done, choice.index, {"refusal": choice.message.refusal}, None))
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
