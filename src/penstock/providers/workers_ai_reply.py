"""Workers AI's replies → OpenAI's; newer models answer in OpenAI's form already."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from penstock.errors import Failed
from penstock.providers import openai_reply
from penstock.providers.call import Call
from penstock.providers.decode import billed_failure
from penstock.providers.failures import in_reply, unreadable
from penstock.providers.replies import Chunks, completion, message, tool_call
from penstock.providers.usage import read_usage
from penstock.wire.chat import Event, Usage
from penstock.wire.json import parser

_EMPTY = Raw()


class _Error(Struct):
    message: str = ""


class _Envelope(Struct):
    result: Raw = _EMPTY
    success: bool | None = None
    errors: list[_Error] | None = None
    description: str = ""
    """What the binding says of its one error."""


class _Called(Struct):
    name: str = ""
    arguments: Raw = _EMPTY


class _Tool(Struct):
    id: str | None = None
    name: str = ""
    arguments: Raw = _EMPTY
    function: _Called | None = None


class _Said(Struct):
    """One piece of a stream, or a whole result."""

    response: Raw = _EMPTY
    tool_calls: list[_Tool] | None = None
    usage: Raw = _EMPTY
    choices: Raw = _EMPTY
    error: Raw = _EMPTY
    errors: Raw = _EMPTY


_decode_envelope = parser(_Envelope)
_decode_said = parser(_Said)
_decode_text = parser(str)


class StreamReader:
    """Turns one stream of `{"response": …}` into chunks."""

    __slots__ = ("_cap", "_chunks", "_foreign", "_ids", "_started", "_tools", "_usage")

    def __init__(self, call: Call, cap: int) -> None:
        self._chunks = Chunks(call.id, call.created, call.target.model)
        self._ids = call.id
        self._cap = cap
        self._foreign: openai_reply.StreamReader | None = None
        self._started = False
        self._tools = 0
        self._usage: Usage | None = None

    def read(self, name: str, payload: bytes, event: Event) -> None:
        if payload.strip() == openai_reply.DONE:
            self._end(event)
            return
        said = _said(payload)
        if given(said.choices):
            self._foreign = self._foreign or openai_reply.StreamReader()
        if self._foreign is not None:
            self._foreign.read(name, payload, event)
            return
        if name == "error" or given(said.error) or given(said.errors):
            raise in_reply(event)
        if not (bytes(said.response) or said.tool_calls or given(said.usage)):
            raise unreadable()
        self._add(said, event)

    def _add(self, said: _Said, event: Event) -> None:
        self._usage = read_usage(said.usage) or self._usage
        event.usage = self._usage
        text = text_of(said.response)
        if text:
            event.data += self._chunks.delta(self._role({"content": text}))
        for tool in said.tool_calls or ():
            call = {"index": self._tools, **_call(tool, self._ids, self._tools)}
            self._tools += 1
            event.tools = True
            event.data += self._chunks.delta(self._role({"tool_calls": [call]}))

    def _role(self, delta: dict[str, Any]) -> dict[str, Any]:
        if self._started:
            return delta
        self._started = True
        return {"role": "assistant", **delta}

    def _end(self, event: Event) -> None:
        event.end = True
        if self._foreign is not None:
            return
        event.finish = _finish(self._tools > 0, self._usage, self._cap)
        event.data += self._chunks.delta(self._role({}), event.finish)
        if self._usage is not None:
            event.usage_data = self._chunks.usage(self._usage)


class WholeReader:
    """Turns one result into a `chat.completion`."""

    __slots__ = ("_call", "_cap")

    def __init__(self, call: Call, cap: int) -> None:
        self._call = call
        self._cap = cap

    def read(self, body: bytes) -> Event:
        result = bytes(unwrap(body))
        said = _said(result)
        if given(said.choices):
            return openai_reply.read_whole(result)
        usage = read_usage(said.usage)
        if not (bytes(said.response) or said.tool_calls):
            return billed_failure(unreadable(), usage)
        calls = [_call(tool, self._call.id, i) for i, tool in enumerate(said.tool_calls or ())]
        finish = _finish(bool(calls), usage, self._cap)
        data = completion(
            self._call.id,
            self._call.created,
            self._call.target.model,
            [(message(text_of(said.response), calls), finish)],
            usage,
        )
        return Event(data=data, usage=usage, finish=finish, tools=bool(calls))


def unwrap(body: bytes) -> bytes | Raw:
    """The result within REST's envelope; the binding sends it bare. Raises Failed."""
    try:
        envelope = _decode_envelope(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise unreadable() from error
    if envelope.success is False:
        raise Failed("The target reported an error within its reply.")
    return envelope.result if bytes(envelope.result) else body


def first_error(body: bytes) -> str:
    """The first error's text, to be looked at and never shown."""
    try:
        said = _decode_envelope(body)
    except (msgspec.DecodeError, RecursionError):
        return ""
    return said.errors[0].message if said.errors else said.description


def text_of(raw: Raw) -> str:
    """A text; a number (digits come as one) or an object (JSON mode) as it stands."""
    said = bytes(raw)
    if said.startswith(b'"'):
        return _decode_text(raw)
    return "" if said == b"null" else said.decode()


def given(raw: Raw) -> bool:
    return bytes(raw) not in (b"", b"null", b"[]")


def _said(payload: bytes) -> _Said:
    try:
        return _decode_said(payload)
    except (msgspec.DecodeError, RecursionError) as error:
        raise unreadable() from error


def _call(tool: _Tool, id: str, index: int) -> dict[str, Any]:
    called = tool.function or _Called(tool.name, tool.arguments)
    return tool_call(
        tool.id or f"call_{id}_{index}", called.name, text_of(called.arguments) or "{}"
    )


def _finish(tools: bool, usage: Usage | None, cap: int) -> str:
    # This API does not say why a model stopped: one that used up its cap was cut.
    if tools:
        return "tool_calls"
    return "length" if usage is not None and usage.output >= cap else "stop"
