"""Reads OpenAI's chat replies; a stream's bytes pass as they are, looked at for their marks."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from penstock.providers.decode import billed_failure
from penstock.providers.failures import error_fields, in_reply, unreadable
from penstock.providers.replies import worst
from penstock.providers.usage import read_usage
from penstock.wire.chat import Event, Usage
from penstock.wire.json import parser
from penstock.wire.sse import data

DONE = b"[DONE]"
HEAD = b"data: {"

_EMPTY = Raw()
_NOTHING = (b"null", b"[]", b'""', b"")
ODD_FINISH = "unknown"
"""Stands for a reason that is no text: such a reply is not kept."""


UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


class _Delta(Struct, gc=False):
    tool_calls: Raw = _EMPTY
    function_call: Raw = _EMPTY
    refusal: Raw = _EMPTY


class _Piece(Struct, gc=False):
    delta: _Delta | None = None
    finish_reason: Any = None


class _Chunk(Struct, gc=False):
    choices: list[_Piece] | None = None
    usage: Raw = _EMPTY
    error: Raw = _EMPTY


class _PlainDelta(Struct, gc=False):
    tool_calls: None = None
    function_call: None = None
    refusal: None = None


class _PlainPiece(Struct, gc=False):
    delta: _PlainDelta | None = None
    finish_reason: None = None


class _Plain(Struct, gc=False):
    choices: list[_PlainPiece] | None = None
    usage: None = None
    error: None = None


class _Choice(Struct, gc=False):
    message: _Delta
    finish_reason: Any = None


class _Whole(Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: Raw = _EMPTY
    error: Raw = _EMPTY


class _UsageOnly(Struct, gc=False):
    usage: Raw = _EMPTY


_decode_plain = parser(_Plain)
_decode_chunk = parser(_Chunk)
_decode_whole = parser(_Whole)
_decode_usage = parser(_UsageOnly)


def plain(block: bytes) -> int:
    """How many of a block's first bytes are chunks without a mark, one line of JSON to an event.

    A mark has no place in `_Plain`, so that reading one fails: this takes less time than searches through the bytes,
    and cannot be misled by what a text says. The chunks themselves pass as they are.
    """
    try:
        _check_utf8(block)
    except UNREADABLE:
        return 0
    if block.find(b"\n") == len(block) - 2:
        return len(block) if _reads_plain(block) else 0
    length = 0
    for event in block.split(b"\n\n"):
        if b"\n" in event or not _reads_plain(event):
            break
        length += len(event) + 2
    return length


def _reads_plain(event: bytes) -> bool:
    if not event.startswith(HEAD):
        return False
    try:
        _decode_plain(event[6:])
    except UNREADABLE:
        return False
    return True


class StreamReader:
    """Reads the events of one stream that `plain` did not count."""

    __slots__ = ("_finish",)

    def __init__(self) -> None:
        self._finish: str | None = None

    def read(self, name: str, payload: bytes, event: Event) -> None:
        if payload.strip() == DONE:
            event.end = True
            return
        try:
            _check_utf8(payload)
            chunk = _decode_chunk(payload)
        except UNREADABLE as error:
            raise unreadable() from error
        if name == "error" or _given(chunk.error):
            raise in_reply(event, error_fields(payload)[0])
        for piece in chunk.choices or ():
            self._mark(piece, event)
        block = data(payload.replace(b"\n", b" "))
        if not _given(chunk.usage):
            event.data += block
            return
        usage = read_usage(chunk.usage)
        event.usage = usage or event.usage
        if chunk.choices:
            event.data += block
        elif usage:
            event.usage_data = block

    def _mark(self, piece: _Piece, event: Event) -> None:
        delta = piece.delta
        if delta is not None:
            event.tools |= _has_tools(delta)
            if _given(delta.refusal):
                event.finish = self._finish = "refusal"
        if piece.finish_reason:
            event.finish = self._finish = worst(self._finish, _finish(piece.finish_reason))


def read_whole(body: bytes) -> Event:
    """A `chat.completion`, its bytes passed as they are."""
    try:
        _check_utf8(body)
        reply = _decode_whole(body)
    except UNREADABLE:
        return billed_failure(unreadable(), _usage_of(body))
    usage = read_usage(reply.usage)
    if _given(reply.error):
        return billed_failure(in_reply(Event(), error_fields(body)[0]), usage)
    if not reply.choices:
        return billed_failure(unreadable(), usage)
    tools, finish = False, None
    for choice in reply.choices:
        tools = tools or _has_tools(choice.message)
        refused = _given(choice.message.refusal)
        finish = worst(finish, "refusal" if refused else _finish(choice.finish_reason or ""))
    return Event(data=body, usage=usage, finish=finish or "", tools=tools)


def _check_utf8(data: bytes) -> None:
    # Fields that nobody asked for are skipped without a look at their encoding.
    if not data.isascii():
        data.decode()


def _usage_of(body: bytes) -> Usage | None:
    """The usage of a reply whose rest cannot be read: it is billed all the same."""
    try:
        return read_usage(_decode_usage(body).usage)
    except UNREADABLE:
        return None


def _finish(reason: Any) -> str:
    return reason if isinstance(reason, str) else ODD_FINISH


def _has_tools(delta: _Delta) -> bool:
    return _given(delta.tool_calls) or _given(delta.function_call)


def _given(raw: Raw) -> bool:
    # What is not sent is the default itself: the common case, without a copy.
    return raw is not _EMPTY and bytes(raw) not in _NOTHING
