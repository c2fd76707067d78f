"""The faces of chat: how an ask is read and an answer written, OpenAI's way and the product's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

from msgspec import Struct

from penstock.auth import scopes
from penstock.auth.caller import Caller, require
from penstock.errors import BadRequest, Error
from penstock.gateway.reply import stream_error
from penstock.wire import completion, sse
from penstock.wire.chat import Ask, Event, Usage, decode_chat, refuse_forbidden
from penstock.wire.embeddings import dollars
from penstock.wire.json import decode_object, encode

NO_USAGE = Usage()
CHAT = "chat"


class Told(Struct):
    """What a reply says beside its text: which target answered, how much it took and cost, whether it was kept."""

    provider: str = ""
    model: str = ""
    usage: Usage = NO_USAGE
    cost_nanos: int = 0
    cached: bool = False


class Face(Protocol):
    """Reads asks and writes answers; pure. `gathers` where the end of a stream repeats the whole text.

    `verb` is what the ledger and the cache call it: only plain chats may be shared.
    """

    gathers: bool
    verb: str

    def decode(self, body: bytes, caller: Caller) -> Ask: ...
    def whole(self, data: bytes, told: Told) -> bytes: ...
    def pieces(self, events: Sequence[Event], ask: Ask) -> bytes: ...
    def last(self, whole: bytes, usage_data: bytes, told: Told, ask: Ask) -> bytes: ...
    def failed(self, failure: Error) -> bytes: ...


REMEMBERED_BYTES = 8 << 10
_remembered = lru_cache(maxsize=512)(decode_chat)
"""Asks by their bytes: nobody changes an ask of this face."""


class OpenAI:
    """`/v1/chat/completions`: what the target sent passes as it is."""

    gathers = False
    verb = CHAT

    def decode(self, body: bytes, caller: Caller) -> Ask:
        # What is asked again, and so answered from the cache, need not be read again.
        return _remembered(body) if len(body) <= REMEMBERED_BYTES else decode_chat(body)

    def whole(self, data: bytes, told: Told) -> bytes:
        return data

    def pieces(self, events: Sequence[Event], ask: Ask) -> bytes:
        if len(events) == 1:
            return events[0].data
        return b"".join([event.data for event in events])

    def last(self, whole: bytes, usage_data: bytes, told: Told, ask: Ask) -> bytes:
        if not ask.include_usage:
            return sse.DONE
        if not usage_data:
            usage_data = completion.usage_chunk(completion.Completion(model=told.model), told.usage)
        return usage_data + sse.DONE

    def failed(self, failure: Error) -> bytes:
        return stream_error(failure)


class Product:
    """`/api/ai/chat/completions` of the first design: deltas, then the whole reply, then `[DONE]`."""

    gathers = True
    verb = CHAT

    def decode(self, body: bytes, caller: Caller) -> Ask:
        return _product_ask(_object(body, caller))

    def whole(self, data: bytes, told: Told) -> bytes:
        return encode(_product_reply(completion.read(data).text, told))

    def pieces(self, events: Sequence[Event], ask: Ask) -> bytes:
        texts = [completion.deltas(event.data) for event in events if event.data]
        return b"".join([sse.data(encode({"delta": text})) for text in texts if text])

    def last(self, whole: bytes, usage_data: bytes, told: Told, ask: Ask) -> bytes:
        return sse.data(self.whole(whole, told)) + sse.DONE

    def failed(self, failure: Error) -> bytes:
        return stream_error(failure)


class OneMessage(Product):
    """POST `/api/ai/chat`: `{message}` in place of `messages`."""

    def decode(self, body: bytes, caller: Caller) -> Ask:
        value = _object(body, caller)
        message = value.pop("message", None)
        if not isinstance(message, str) or not message:
            raise BadRequest(
                "'message' must be a text.", text="Missing required fields", param="message"
            )
        return _product_ask(value | {"messages": [{"role": "user", "content": message}]})


_ROLES = frozenset({"system", "user", "assistant"})
_TAKEN = ("stream", "temperature", "max_tokens")


def _object(body: bytes, caller: Caller) -> dict[str, Any]:
    value, _ = decode_object(body)
    if value.get("forceProvider") is not None:
        require(caller, scopes.ROUTE_FORCE)
    refuse_forbidden(value)
    return value


def _product_ask(value: dict[str, Any]) -> Ask:
    messages = value.get("messages")
    if not isinstance(messages, list) or not messages or not all(map(_plain, messages)):
        raise BadRequest(
            "'messages' must be a non-empty list of {role: system|user|assistant, content: text}.",
            code="invalid_field", text="Invalid messages", param="messages",
        )  # fmt: skip
    force, model = value.get("forceProvider"), value.get("model")
    if force is not None and not isinstance(force, str):
        raise BadRequest(
            "'forceProvider' must be a provider's name.",
            code="invalid_field",
            param="forceProvider",
        )
    body = {name: value[name] for name in _TAKEN if value.get(name) is not None}
    body["messages"] = [{"role": one["role"], "content": one["content"]} for one in messages]
    ask = decode_chat(encode({"model": "auto" if model is None else model, **body}))
    ask.force_provider = force
    if force is not None and model is None:
        ask.model = ""
    return ask


def _plain(message: Any) -> bool:
    if not isinstance(message, dict):
        return False
    role = message.get("role")
    return isinstance(role, str) and role in _ROLES and isinstance(message.get("content"), str)


def _product_reply(text: str, told: Told) -> dict[str, Any]:
    reply: dict[str, Any] = {
        "message": {"role": "assistant", "content": text},
        "model": told.model,
        "provider": told.provider,
        "tokens": told.usage.total,
        "cost": dollars(told.cost_nanos),
    }
    return reply | {"cached": True} if told.cached else reply


OPENAI = OpenAI()
PRODUCT = Product()
ONE_MESSAGE = OneMessage()
