"""A service of one's own as a target, asked as the product API is: `{messages, model, stream?}` at `/api/chat/completions`."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from penstock import config
from penstock.errors import Failed
from penstock.providers.call import OPENAI_ALONE, Call, Decoder
from penstock.providers.decode import StreamDecoder, WholeDecoder
from penstock.providers.failures import beyond, by_status, error_fields, in_reply, unreadable
from penstock.providers.openai import post
from penstock.providers.replies import Chunks, completion, message
from penstock.wire.chat import Ask, Event, Usage
from penstock.wire.http import Headers, Request
from penstock.wire.json import NANOS, parser

PATH = "/api/chat/completions"
DONE = b"[DONE]"
_ROLES = {"developer": "system", "system": "system", "user": "user", "assistant": "assistant"}
_PASSED = ("temperature",)

# What OpenAI's form can say and this one cannot, with the values that mean the default.
_FOREIGN: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("n", (1,)),
    ("top_p", (1,)),
    ("presence_penalty", (0,)),
    ("frequency_penalty", (0,)),
    ("stop", ([],)),
    ("seed", ()),
    ("tools", ([],)),
    ("tool_choice", ("none", "auto")),
    ("parallel_tool_calls", (True,)),
    ("response_format", ({"type": "text"},)),
    *OPENAI_ALONE,
)


def chat(call: Call) -> Request:
    """Without a credential: the caller's own is added where it is sent."""
    ask, source = call.ask, call.ask.body
    said = [
        {"role": _ROLES[one["role"]], "content": _text(one.get("content"))}
        for one in source["messages"]
    ]
    body: dict[str, Any] = {"messages": said, "model": call.target.model}
    if ask.stream:
        body["stream"] = True
    for name in _PASSED:
        if source.get(name) is not None:
            body[name] = source[name]
    most = call.max_output or ask.max_output
    if most is not None:
        body["max_tokens"] = most
    return post(call.at.base_url, PATH, body, stream=ask.stream)


def decoder(call: Call) -> Decoder:
    if call.ask.stream:
        return StreamDecoder(StreamReader(call).read)
    return WholeDecoder(WholeReader(call).read)


def inexpressible(ask: Ask, target: config.Target) -> str | None:
    """`user`, and `metadata` without `store`, only label a request: left out, not refused."""
    if ask.unknown:
        return ask.unknown[0]
    for name, defaults in _FOREIGN:
        if ask.body.get(name) is not None and ask.body[name] not in defaults:
            return name
    if not all(map(_plain, ask.body["messages"])):
        return "messages"
    return beyond(ask, target)


def failure(status: int, headers: Headers, body: bytes) -> Failed:
    return by_status(status, headers, *error_fields(body))


def key_headers(at: config.Provider) -> Headers:
    """None: a service is shown the caller's own credential, and no key."""
    return ()


_DOLLARS = re.compile(rb"\d{1,7}(?:\.\d{1,40})?(?:[eE]-\d{1,2})?")
MOST_NANOS = 10_000 * NANOS
"""Of one answer: what is more is a mistake."""
Tokens = Annotated[int, Meta(ge=0, le=1_000_000_000)]


class _Usage(Struct):
    input: Tokens
    output: Tokens


class _Message(Struct):
    content: str | None = None


class _Said(Struct):
    """A whole reply, or one event of a stream."""

    delta: str | None = None
    message: _Message | None = None
    usage: _Usage | None = None
    tokens: Tokens | None = None
    cost: Raw = Raw()
    error: Any = None


_decode = parser(_Said)


class StreamReader:
    """Turns `{"delta": …}` events and the whole reply behind them into chunks."""

    __slots__ = ("_at", "_chunks", "_ended", "_started")

    def __init__(self, call: Call) -> None:
        self._at = call.at
        self._chunks = Chunks(call.id, call.created, call.target.model)
        self._started = False
        self._ended = False

    def read(self, name: str, payload: bytes, event: Event) -> None:
        if payload.strip() == DONE:
            if not self._ended:
                raise unreadable()
            event.end = True
            return
        said = _read(payload)
        if said.error is not None:
            raise in_reply(event)
        if said.delta is not None:
            event.data += self._chunks.delta(self._role({"content": said.delta}))
        elif said.message is not None and not self._ended:
            self._end(said, said.message, event)
        else:
            raise unreadable()

    def _end(self, said: _Said, whole: _Message, event: Event) -> None:
        self._ended = True
        if not self._started and whole.content:
            event.data += self._chunks.delta(self._role({"content": whole.content}))
        event.finish = "stop"
        event.usage = usage_of(said, self._at)
        event.data += self._chunks.delta(self._role({}), event.finish)
        if event.usage is not None:
            event.usage_data = self._chunks.usage(event.usage)

    def _role(self, delta: dict[str, Any]) -> dict[str, Any]:
        if self._started:
            return delta
        self._started = True
        return {"role": "assistant", **delta}


class WholeReader:
    """Turns one reply into a `chat.completion`."""

    __slots__ = ("_call",)

    def __init__(self, call: Call) -> None:
        self._call = call

    def read(self, body: bytes) -> Event:
        said = _read(body)
        if said.error is not None or said.message is None:
            raise unreadable()
        call = self._call
        usage = usage_of(said, call.at)
        choices = [(message(said.message.content), "stop")]
        data = completion(call.id, call.created, call.target.model, choices, usage)
        return Event(data=data, usage=usage, finish="stop")


def usage_of(said: _Said, at: config.Provider) -> Usage | None:
    """What it took; tokens that are told in one sum count as output, the dearer kind, and as an estimate."""
    told = nanos(bytes(said.cost)) if at.believed else None
    if said.usage is not None:
        return Usage(input=said.usage.input, output=said.usage.output, told=told)
    if said.tokens is None:
        return None
    return Usage(output=said.tokens, estimated=told is None, told=told)


def nanos(dollars: bytes) -> int | None:
    """Dollars of a reply, rounded up; None for what is no amount that an answer can cost."""
    if not _DOLLARS.fullmatch(dollars):
        return None
    found = (Decimal(dollars.decode()) * NANOS).to_integral_value(ROUND_CEILING)
    return int(found) if found <= MOST_NANOS else None


def _read(payload: bytes) -> _Said:
    try:
        return _decode(payload)
    except (msgspec.DecodeError, RecursionError) as error:
        raise unreadable() from error


def _plain(one: dict[str, Any]) -> bool:
    """Whether a message is a role and text, which is all there are words for."""
    content = one.get("content")
    text = content is None or isinstance(content, str)
    parts = isinstance(content, list) and all(part["type"] == "text" for part in content)
    called = one.get("tool_calls") or one.get("function_call") or one.get("refusal")
    return one["role"] in _ROLES and (text or parts) and not called


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content)
    return content or ""
