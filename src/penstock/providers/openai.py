"""OpenAI's API, and every server compatible with it (Ollama, vLLM, Groq…), by `base_url`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from penstock import config
from penstock.errors import Failed
from penstock.ports import Vectors
from penstock.providers.call import Call, Decoder
from penstock.providers.decode import StreamDecoder, WholeDecoder
from penstock.providers.failures import beyond, by_status, error_fields, unreadable
from penstock.providers.openai_reply import StreamReader, plain, read_whole
from penstock.providers.usage import read_usage
from penstock.wire.chat import Ask, Usage
from penstock.wire.http import JSON, Headers, Request
from penstock.wire.json import encode, parser

BASE_URL = "https://api.openai.com/v1"
CAPS = ("max_completion_tokens", "max_tokens")

_REASONING = re.compile(r"(?:.*/)?(?:o\d|gpt-(?:[5-9]|\d\d))")
"""OpenAI's models that refuse `max_tokens`."""


def chat(call: Call) -> Request:
    """The ask's own body to the target's model; a stream always asks for its usage."""
    body: dict[str, Any] = {**call.ask.body, "model": call.target.model}
    if call.ask.stream:
        body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    if call.max_output is not None:
        _cap(body, call.target.model, call.max_output)
    return post(call.at.base_url or BASE_URL, "/chat/completions", body, stream=call.ask.stream)


def decoder(call: Call) -> Decoder:
    if call.ask.stream:
        return StreamDecoder(StreamReader().read, plain)
    return WholeDecoder(read_whole)


def inexpressible(ask: Ask, target: config.Target) -> str | None:
    return beyond(ask, target)


def failure(status: int, headers: Headers, body: bytes) -> Failed:
    return by_status(status, headers, *error_fields(body))


def key_headers(at: config.Provider) -> Headers:
    return (("authorization", f"Bearer {at.api_key}"),) if at.api_key else ()


def embed(
    texts: Sequence[str],
    target: config.Target,
    at: config.Provider,
    fields: Mapping[str, Any],
) -> Request:
    body = {**fields, "model": target.model, "input": list(texts), "encoding_format": "float"}
    return post(at.base_url or BASE_URL, "/embeddings", body)


def vectors(body: bytes, target: config.Target, texts: Sequence[str]) -> tuple[Vectors, Usage]:
    try:
        said = _decode_embeddings(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise unreadable() from error
    rows = sorted(said.data, key=lambda row: row.index)
    if [row.index for row in rows] != list(range(len(texts))):
        raise unreadable()
    values = [row.embedding for row in rows]
    return checked(target.model, values, texts, read_usage(said.usage))


def checked(
    model: str, values: list[list[float]], texts: Sequence[str], usage: Usage | None
) -> tuple[Vectors, Usage]:
    """Vectors of one dimension, one a text; without a reported usage no more tokens than bytes."""
    dimension = len(values[0]) if values else 0
    if len(values) != len(texts) or any(len(row) != dimension or not row for row in values):
        raise unreadable()
    if usage is None:
        usage = Usage(input=sum(len(text.encode()) for text in texts), estimated=True)
    return Vectors(model, dimension, values, usage.total_input), usage


def post(base: str, path: str, body: dict[str, Any], *, stream: bool = False) -> Request:
    """A JSON request to an absolute URL."""
    accept = "text/event-stream" if stream else "application/json"
    return Request(
        "POST",
        (base.rstrip("/") + path).encode(),
        headers=(JSON, ("accept", accept)),
        body=encode(body),
    )


class _Row(Struct):
    index: int
    embedding: list[float]


class _Embeddings(Struct):
    data: list[_Row]
    usage: Raw = Raw()


_decode_embeddings = parser(_Embeddings)


def _cap(body: dict[str, Any], model: str, most: int) -> None:
    given = [name for name in CAPS if body.get(name) is not None]
    for name in given or [CAPS[0] if _REASONING.match(model) else CAPS[1]]:
        body[name] = most
