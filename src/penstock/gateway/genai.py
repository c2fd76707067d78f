"""What spans say of calls to models, by OpenTelemetry's GenAI conventions (v0.1.0): names and numbers, no texts."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from penstock.config import Provider
from penstock.limits.hold import Tried
from penstock.wire.chat import Ask, Usage
from penstock.wire.json import encode
from penstock.wire.tracing import Told

if TYPE_CHECKING:
    from penstock.gateway.delivery import Delivery

PROVIDERS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "workers_ai": "cloudflare.workers_ai",
    "service": "penstock.service",
    "local": "penstock.local",
    "hashed": "penstock.hashed",
    "sandbox": "penstock.sandbox",
}
"""`gen_ai.provider.name` by a provider's kind: which API it speaks."""
HERE = frozenset({"local", "hashed", "sandbox"})
"""Kinds that run in this process."""
PORTS = {"http": 80, "https": 443}
MOST_NAME = 200
"""Characters of a name that a provider gave."""
MADE_UP = "*"
"""In place of a model that a caller's own words named."""
MOST_CONTENT_BYTES = 64 << 10
SETTINGS = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "seed": "gen_ai.request.seed",
}
BLOCK = b"data: "
"""What a chunk of a stream begins with."""

Fields = dict[str, Told]


class _Named(Struct):
    id: str = ""
    model: str = ""


_named = msgspec.json.Decoder(_Named).decode


def tried(one: Tried, operation: str) -> Fields:
    """What is known of an attempt, whatever came of it."""
    target = one.offer.target
    host, port = address(one.at)
    found: Fields = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": PROVIDERS.get(one.at.kind, one.at.kind),
        "gen_ai.request.model": target.model if one.offer.configured else MADE_UP,
        "penstock.target": one.offer.label,
        "penstock.attempt": one.number,
    }
    if host:
        found |= {"server.address": host, "server.port": port}
    if one.deployment:
        found["penstock.deployment"] = one.deployment
    return found


def asked(ask: Ask) -> Fields:
    """What was asked for beside the text: numbers alone, for whatever else a caller writes may be one."""
    found: Fields = {name: ask.body[key] for key, name in SETTINGS.items() if _number(ask, key)}
    if ask.stream:
        found["gen_ai.request.stream"] = True
    if ask.max_output:
        found["gen_ai.request.max_tokens"] = ask.max_output
    if ask.n != 1:
        found["gen_ai.request.choice.count"] = ask.n
    return found


def answered(delivery: Delivery, last: Tried) -> Fields:
    """What the target that answered said of its answer."""
    answer = delivery.answer
    assert answer is not None
    found = used(answer.usage or delivery.told.usage)
    named = name_of(answer.head)
    if named.id:
        found["gen_ai.response.id"] = named.id[:MOST_NAME]
    if named.model and last.offer.configured:  # a provider says a caller's word again
        found["gen_ai.response.model"] = named.model[:MOST_NAME]
    if answer.finish:
        found["gen_ai.response.finish_reasons"] = [answer.finish[:MOST_NAME]]
    if delivery.ask.stream:
        found["gen_ai.response.time_to_first_chunk"] = round(last.ended - last.began, 6)
    return found


def used(usage: Usage) -> Fields:
    """Tokens: those of the provider's cache are a part of the input, as the conventions have it."""
    found: Fields = {
        "gen_ai.usage.input_tokens": usage.total_input,
        "gen_ai.usage.output_tokens": usage.output,
    }
    if usage.cached_input:
        found["gen_ai.usage.cache_read.input_tokens"] = usage.cached_input
    if usage.cache_write:
        found["gen_ai.usage.cache_write.input_tokens"] = usage.cache_write
    if usage.reasoning:
        found["gen_ai.usage.reasoning.output_tokens"] = usage.reasoning
    return found


def name_of(data: bytes) -> _Named:
    """The id and model of a completion, or of a stream's first chunk; empty where it has none."""
    if data.startswith(BLOCK):
        data = data[len(BLOCK) :].partition(b"\n\n")[0]
    try:
        return _named(data)
    except (msgspec.MsgspecError, RecursionError):
        return _Named()


def messages(ask: Ask) -> str:
    """The prompt's texts in the conventions' form; empty where it is too long. Other parts are named, not shown."""
    told = [{"role": message["role"], "parts": _parts(message)} for message in ask.body["messages"]]
    data = encode(told)
    return data.decode() if len(data) <= MOST_CONTENT_BYTES else ""


def address(at: Provider) -> tuple[str, int]:
    """Where a provider is reached: never its path, user or query."""
    return ("", 0) if at.kind in HERE else host_of(at.base_url)


@lru_cache(maxsize=1_000)
def host_of(url: str) -> tuple[str, int]:
    """An address' host and port."""
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        return "", 0


def _number(ask: Ask, key: str) -> bool:
    value = ask.body.get(key)
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1 << 62


def _parts(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "content": content}]
    parts = content if isinstance(content, list) else []
    return [
        {"type": "text", "content": part["text"]}
        if isinstance(part.get("text"), str)
        else {"type": str(part.get("type"))}
        for part in parts
    ]
