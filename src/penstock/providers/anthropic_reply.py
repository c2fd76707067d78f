"""Anthropic's replies → OpenAI's."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from penstock.providers.decode import billed_failure
from penstock.providers.failures import in_reply, unreadable
from penstock.providers.replies import Chunks, completion, message, tool_call
from penstock.providers.usage import Tokens
from penstock.wire.chat import Event, Usage
from penstock.wire.json import parser

FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "pause_turn": "length",
}

_EMPTY = Raw()


class _Counts(Struct):
    input_tokens: Tokens | None = None
    cache_read_input_tokens: Tokens | None = None
    cache_creation_input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None


class _Content(Struct):
    type: str
    text: str = ""
    id: str = ""
    name: str = ""
    input: Raw = _EMPTY


class _Message(Struct):
    id: str = ""
    model: str = ""
    type: str = ""
    content: list[_Content] | None = None
    stop_reason: str | None = None
    usage: Raw = _EMPTY


class _Delta(Struct):
    type: str = ""
    text: str = ""
    partial_json: str = ""
    stop_reason: str | None = None


class _Error(Struct):
    type: str = ""


class _Step(Struct):
    type: str
    index: int = 0
    message: _Message | None = None
    content_block: _Content | None = None
    delta: _Delta | None = None
    usage: Raw = _EMPTY
    error: _Error | None = None


_decode_step = parser(_Step)
_decode_message = parser(_Message)
_decode_counts = parser(_Counts)


class StreamReader:
    """Turns the events of one Messages stream into chunks."""

    __slots__ = ("_calls", "_chunks", "_created", "_model", "_silent", "_usage")

    def __init__(self, model: str, created: int) -> None:
        self._model = model
        self._created = created
        self._chunks: Chunks | None = None
        self._calls: dict[int, int] = {}
        self._silent: set[int] = set()
        self._usage: Usage | None = None

    def read(self, name: str, payload: bytes, event: Event) -> None:
        """The payload says its own type, so the event's name is not needed."""
        try:
            step = _decode_step(payload)
        except (msgspec.DecodeError, RecursionError) as error:
            raise unreadable() from error
        if step.type == "error":
            raise in_reply(event, step.error.type if step.error else "")
        if step.type == "message_start":
            self._start(step, event)
        elif self._chunks is not None:
            self._go_on(step, event, self._chunks)
        elif step.type != "ping":
            raise unreadable()

    def _start(self, step: _Step, event: Event) -> None:
        said = step.message or _Message()
        self._chunks = Chunks(said.id or "msg_0", self._created, said.model or self._model)
        self._count(said.usage, event)
        event.data += self._chunks.delta({"role": "assistant", "content": ""})

    def _go_on(self, step: _Step, event: Event, chunks: Chunks) -> None:
        match step.type:
            case "content_block_start":
                self._open(step, event, chunks)
            case "content_block_delta":
                self._add(step, event, chunks)
            case "content_block_stop" if step.index in self._silent:
                # A call without arguments: OpenAI's callers parse them as JSON.
                event.data += chunks.delta(self._argument(step.index, "{}"))
            case "message_delta":
                self._count(step.usage, event)
                if step.delta and step.delta.stop_reason:
                    event.finish = FINISH.get(step.delta.stop_reason, step.delta.stop_reason)
                    event.data += chunks.delta({}, event.finish)
            case "message_stop":
                if self._usage is not None:
                    event.usage_data = chunks.usage(self._usage)
                event.end = True

    def _open(self, step: _Step, event: Event, chunks: Chunks) -> None:
        block = step.content_block
        if block is None:
            raise unreadable()
        if block.type == "tool_use":
            place = self._calls.setdefault(step.index, len(self._calls))
            self._silent.add(step.index)
            call = {"index": place, **tool_call(block.id, block.name, "")}
            event.tools = True
            event.data += chunks.delta({"tool_calls": [call]})
        elif block.text:
            event.data += chunks.delta({"content": block.text})

    def _add(self, step: _Step, event: Event, chunks: Chunks) -> None:
        delta = step.delta or _Delta()
        if delta.type == "text_delta":
            event.data += chunks.delta({"content": delta.text})
        elif delta.type == "input_json_delta" and delta.partial_json:
            if step.index not in self._calls:
                raise unreadable()
            event.data += chunks.delta(self._argument(step.index, delta.partial_json))

    def _argument(self, index: int, text: str) -> dict[str, Any]:
        self._silent.discard(index)
        return {"tool_calls": [{"index": self._calls[index], "function": {"arguments": text}}]}

    def _count(self, raw: Raw, event: Event) -> None:
        self._usage = event.usage = read_counts(raw, self._usage) or event.usage


class WholeReader:
    """Turns one Messages reply into a `chat.completion`."""

    __slots__ = ("_created", "_model")

    def __init__(self, model: str, created: int) -> None:
        self._model = model
        self._created = created

    def read(self, body: bytes) -> Event:
        try:
            said = _decode_message(body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise unreadable() from error
        if said.type == "error":
            raise in_reply(Event())
        usage = read_counts(said.usage, None)
        if said.content is None:
            return billed_failure(unreadable(), usage)
        text = "".join(block.text for block in said.content if block.type == "text")
        calls = [
            tool_call(block.id, block.name, bytes(block.input).decode() or "{}")
            for block in said.content
            if block.type == "tool_use"
        ]
        finish = FINISH.get(said.stop_reason or "", said.stop_reason or "")
        data = completion(
            said.id or "msg_0",
            self._created,
            said.model or self._model,
            [(message(text, calls), finish)],
            usage,
        )
        return Event(data=data, usage=usage, finish=finish, tools=bool(calls))


def read_counts(raw: Raw, before: Usage | None) -> Usage | None:
    """Anthropic's usage, its inputs disjoint; what a later report leaves out stands as before."""
    try:
        said = _decode_counts(raw)
    except (msgspec.DecodeError, RecursionError):
        return before
    if before is None and said.input_tokens is None:
        return None
    old = before or Usage()
    return Usage(
        _or(said.input_tokens, old.input),
        _or(said.cache_read_input_tokens, old.cached_input),
        _or(said.cache_creation_input_tokens, old.cache_write),
        _or(said.output_tokens, old.output),
    )


def _or(value: int | None, other: int) -> int:
    return other if value is None else value
