"""Anthropic's Messages API: OpenAI's chat form in, Messages out, and back."""

from __future__ import annotations

from typing import Any

from penstock import config
from penstock.errors import Failed
from penstock.providers.anthropic_messages import tool_choice, tools, turns
from penstock.providers.anthropic_reply import StreamReader, WholeReader
from penstock.providers.call import OPENAI_ALONE, Call, Decoder
from penstock.providers.decode import StreamDecoder, WholeDecoder
from penstock.providers.failures import beyond, by_status, error_fields
from penstock.providers.openai import post
from penstock.wire.chat import Ask
from penstock.wire.http import Headers, Request

BASE_URL = "https://api.anthropic.com"
VERSION = ("anthropic-version", "2023-06-01")

_MESSAGES = "/v1/messages"
_PART_TYPES = frozenset({"text", "image_url", "refusal"})

# What OpenAI's form can say and Messages cannot, with the values that mean the default.
_FOREIGN: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("n", (1,)),
    ("presence_penalty", (0,)),
    ("frequency_penalty", (0,)),
    ("seed", ()),
    ("response_format", ({"type": "text"},)),
    *OPENAI_ALONE,
)


def chat(call: Call) -> Request:
    """Messages needs a cap on its output: the gateway's, the caller's, or the target's default."""
    ask = call.ask
    body: dict[str, Any] = {
        "model": call.target.model,
        "max_tokens": call.max_output or ask.max_output or call.target.default_max_output,
        **_said(ask.body),
    }
    if ask.stream:
        body["stream"] = True
    body.update(_sampling(ask.body))
    base = (call.at.base_url or BASE_URL).rstrip("/").removesuffix("/v1")
    request = post(base, _MESSAGES, body, stream=ask.stream)
    request.headers = (*request.headers, VERSION)
    return request


def decoder(call: Call) -> Decoder:
    if call.ask.stream:
        return StreamDecoder(StreamReader(call.target.model, call.created).read)
    return WholeDecoder(WholeReader(call.target.model, call.created).read)


def inexpressible(ask: Ask, target: config.Target) -> str | None:
    """`metadata` without `store` only labels a request, so it is left out rather than refused."""
    body = ask.body
    if ask.unknown:
        return ask.unknown[0]
    for name, defaults in _FOREIGN:
        if body.get(name) is not None and body[name] not in defaults:
            return name
    if (body.get("temperature") or 0) > 1:
        return "temperature"
    if any(tool.get("type") != "function" for tool in body.get("tools") or ()):
        return "tools"
    if not all(_speakable(message) for message in body["messages"]):
        return "messages"
    found = beyond(ask, target)
    if found is None:
        _said(body)
    return found


def failure(status: int, headers: Headers, body: bytes) -> Failed:
    return by_status(status, headers, *error_fields(body))


def key_headers(at: config.Provider) -> Headers:
    return (("x-api-key", at.api_key),) if at.api_key else ()


def _said(source: dict[str, Any]) -> dict[str, Any]:
    """Messages and tools; raises BadRequest for what cannot be translated."""
    system, messages = turns(source["messages"])
    found: dict[str, Any] = {"messages": messages}
    if system:
        found["system"] = system
    if source.get("tools"):
        found["tools"] = tools(source["tools"])
        if choice := tool_choice(source.get("tool_choice"), source.get("parallel_tool_calls")):
            found["tool_choice"] = choice
    return found


def _sampling(source: dict[str, Any]) -> dict[str, Any]:
    found = {
        name: source[name] for name in ("temperature", "top_p") if source.get(name) is not None
    }
    if stop := source.get("stop"):
        found["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    if user := source.get("user"):
        found["metadata"] = {"user_id": user}
    return found


def _speakable(message: dict[str, Any]) -> bool:
    if message["role"] == "function" or message.get("function_call"):
        return False
    content = message.get("content")
    return not isinstance(content, list) or all(part["type"] in _PART_TYPES for part in content)
