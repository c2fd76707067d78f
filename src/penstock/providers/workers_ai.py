"""Cloudflare Workers AI over REST; the body is the model's input, as the binding takes it too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from penstock import config
from penstock.errors import Failed
from penstock.ports import Vectors
from penstock.providers.call import OPENAI_ALONE, Call, Decoder
from penstock.providers.decode import StreamDecoder, WholeDecoder
from penstock.providers.failures import beyond, by_status, unreadable
from penstock.providers.openai import checked, post
from penstock.providers.usage import read_usage
from penstock.providers.workers_ai_reply import StreamReader, WholeReader, first_error, unwrap
from penstock.wire.chat import Ask, Usage
from penstock.wire.http import Headers, Request
from penstock.wire.json import parser

BASE_URL = "https://api.cloudflare.com/client/v4"
BERT_TOKENS = 512
"""The most tokens of a text that the bge-*-en models read; the rest is cut off."""

_PASSED = (
    "temperature",
    "top_p",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "response_format",
)

# What OpenAI's form can say and this API cannot, with the values that mean the default.
_FOREIGN: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("n", (1,)),
    ("stop", ([],)),
    *OPENAI_ALONE,
    ("tool_choice", ("none", "auto")),
    ("parallel_tool_calls", (True,)),
)


def chat(call: Call) -> Request:
    """The models' own default cap of 256 tokens cuts answers unsaid, so a cap is always sent."""
    ask, source = call.ask, call.ask.body
    body: dict[str, Any] = {
        "messages": [_flat(message) for message in source["messages"]],
        "max_tokens": cap(call),
    }
    if ask.stream:
        body["stream"] = True
    for name in _PASSED:
        if source.get(name) is not None:
            body[name] = source[name]
    if source.get("tools") and source.get("tool_choice") != "none":
        body["tools"] = source["tools"]
    return post(call.at.base_url or BASE_URL, _path(call.at, call.target), body, stream=ask.stream)


def decoder(call: Call) -> Decoder:
    if call.ask.stream:
        return StreamDecoder(StreamReader(call, cap(call)).read)
    return WholeDecoder(WholeReader(call, cap(call)).read)


def inexpressible(ask: Ask, target: config.Target) -> str | None:
    """`user`, and `metadata` without `store`, only label a request: left out, not refused."""
    if ask.unknown:
        return ask.unknown[0]
    for name, defaults in _FOREIGN:
        if ask.body.get(name) is not None and ask.body[name] not in defaults:
            return name
    return beyond(ask, target)


def failure(status: int, headers: Headers, body: bytes) -> Failed:
    return by_status(status, headers, "", first_error(body), None)


def key_headers(at: config.Provider) -> Headers:
    return (("authorization", f"Bearer {at.api_key}"),) if at.api_key else ()


def embed(
    texts: Sequence[str],
    target: config.Target,
    at: config.Provider,
    fields: Mapping[str, Any],
) -> Request:
    return post(at.base_url or BASE_URL, _path(at, target), {"text": list(texts)})


def vectors(body: bytes, target: config.Target, texts: Sequence[str]) -> tuple[Vectors, Usage]:
    try:
        said = _decode_embeddings(unwrap(body))
    except (msgspec.DecodeError, RecursionError) as error:
        raise unreadable() from error
    usage = read_usage(said.usage) or _bound(target.model, texts)
    return checked(target.model, said.data, texts, usage)


def cap(call: Call) -> int:
    """The output cap that is sent."""
    return call.max_output or call.ask.max_output or call.target.default_max_output


class _Embeddings(Struct):
    data: list[list[float]]
    usage: Raw = Raw()


_decode_embeddings = parser(_Embeddings)


def _path(at: config.Provider, target: config.Target) -> str:
    return f"/accounts/{at.account}/ai/run/{target.model}"


def _flat(message: dict[str, Any]) -> dict[str, Any]:
    """Parts of text alone become one string, which is all that the older models read."""
    role = "system" if message["role"] == "developer" else message["role"]
    content = message.get("content")
    if isinstance(content, list) and all(part["type"] == "text" for part in content):
        content = "\n".join(part["text"] for part in content)
    return {**message, "role": role, "content": "" if content is None else content}


def _bound(model: str, texts: Sequence[str]) -> Usage:
    # Two marks stand around each text; a token is at least one byte.
    most = BERT_TOKENS if "/bge-" in model and "-en-" in model else 1 << 30
    return Usage(input=sum(min(len(t.encode()) + 2, most) for t in texts), estimated=True)
