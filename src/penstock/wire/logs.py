"""Logs of requests, a JSON object a line: what `penstock usage --export-log` writes and `penstock replay` reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from penstock.errors import BadRequest, TooLarge
from penstock.wire import json
from penstock.wire.chat import Ask, Usage, decode_chat

MOST_BYTES = 10_000_000
"""Of one line, as of one request."""
MOST_SECONDS = 253_402_300_799
"""The last second of the year 9999."""
BYTES_A_TOKEN = 4
"""Where a line names no input tokens."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Tokens = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Complexity = Literal["", "simple", "medium", "complex"]


class Line(Struct, omit_defaults=True):
    """One request as it stands in a log. Text is there where its tenant agreed, and in logs from elsewhere.

    `caller` and `key` name who asked and what, without saying either: two lines with both alike are one request repeated.
    """

    time: str | Annotated[float, Meta(ge=0, le=MOST_SECONDS)] | None = None
    """ISO 8601, or seconds since the epoch."""
    id: str = ""
    caller: str = ""
    key: str = ""
    model: str = ""
    """As it was asked for."""
    route: str = ""
    target: str = ""
    """What answered."""
    complexity: Complexity = ""
    """What the heuristic made of it."""
    input_tokens: Tokens | None = None
    cached_input_tokens: Tokens = 0
    """Of the input, what the provider's own prompt cache had."""
    cache_write_tokens: Tokens = 0
    """Of the input, what went into that cache."""
    output_tokens: Tokens | None = None
    cached: bool = False
    """Whether a kept answer served it."""
    cost_nanos: Annotated[int, Meta(ge=0)] | None = None
    prompt: str | None = None
    messages: list[Any] | None = None


class Logged(Struct, frozen=True):
    """One request to be replayed. `at` in milliseconds; `ask` is None where its text is not there."""

    at: int | None
    key: bytes
    """Who asked what; empty where nobody says."""
    shared: bytes
    """The same, whoever asked."""
    line: Line
    ask: Ask | None
    input: int

    def usage(self, target: str, output: int, *, believed: bool) -> Usage:
        """What it takes of a target: of the one that answered, what that one said; of others, all input as fresh.

        `believed` where the target's own word is what it costs.
        """
        line = self.line
        if target != line.target:
            return Usage(self.input, output=output)
        cached, write = line.cached_input_tokens, line.cache_write_tokens
        told = line.cost_nanos if believed and not line.cached else None
        return Usage(self.input - cached - write, cached, write, output, told=told)


_line = json.parser(Line)


def logged(number: int, data: bytes) -> Logged:
    """A line, checked; raises BadRequest with its number."""
    line = read(number, data)
    ask = _ask(number, line)
    tokens = line.input_tokens
    if tokens is None:
        if ask is None:
            raise BadRequest(f"Line {number} has neither text nor `input_tokens`; give it one.")
        tokens = -(-ask.input_bound // BYTES_A_TOKEN)
    if line.cached_input_tokens + line.cache_write_tokens > tokens:
        raise BadRequest(f"Line {number} has more cached input tokens than input tokens.")
    what = ask.canonical if ask is not None and not line.key else line.key.encode()
    key, shared = (_digest(line.caller, what), _digest("", what)) if what else (b"", b"")
    return Logged(_instant(number, line), key, shared, line, ask, tokens)


def read(number: int, data: bytes) -> Line:
    """A line by its form alone; raises BadRequest with its number."""
    if len(data) > MOST_BYTES:
        raise BadRequest(f"Line {number} is longer than {MOST_BYTES} bytes; leave it out.")
    try:
        return _line(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(
            f'Line {number} is not what is read here: one JSON object such as {{"time": "2026-11-01T12:00:00Z",'
            ' "prompt": "…", "output_tokens": 120}.'
        ) from error


def _ask(number: int, line: Line) -> Ask | None:
    if line.prompt is not None and line.messages is not None:
        raise BadRequest(f"Line {number} has both `prompt` and `messages`; leave one out.")
    messages = line.messages
    if line.prompt is not None:
        messages = [{"role": "user", "content": line.prompt}]
    if messages is None:
        return None
    try:
        return decode_chat(json.encode({"model": line.model or "auto", "messages": messages}))
    except (BadRequest, TooLarge) as error:
        raise BadRequest(f"Line {number} is no chat: {error.message}") from error


def _instant(number: int, line: Line) -> int | None:
    if line.time is None:
        return None
    if isinstance(line.time, str):
        try:
            found = datetime.fromisoformat(line.time)
        except ValueError:
            found = None
        zoned = found if found is None or found.tzinfo is not None else found.replace(tzinfo=UTC)
        # An instant of the year 9999 may be of the next one in UTC.
        if zoned is None or (zoned - _EPOCH).total_seconds() > MOST_SECONDS:
            raise BadRequest(
                f"Line {number}: `time` is no instant; write 2026-11-01T12:00:00Z, or seconds since the epoch."
            )
        return max(0, (zoned - _EPOCH) // timedelta(milliseconds=1))
    return int(line.time * 1000)


def _digest(caller: str, what: bytes) -> bytes:
    return blake2b(
        what, key=blake2b(caller.encode(), digest_size=32).digest(), digest_size=16
    ).digest()
