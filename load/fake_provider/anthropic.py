"""Anthropic's dialect: the Messages API."""

from __future__ import annotations

from typing import Any

import msgspec

from load.fake_provider import anthropic_stream
from load.fake_provider.answer import (
    TOOL_TOKENS,
    Ask,
    Said,
    Variant,
    digest_of,
    fill,
    read_directives,
    say,
    text_of,
)
from load.fake_provider.anthropic_stream import stop_reason, tool_use, usage_of
from load.fake_provider.plan import ID_TEXT, SSE_TYPE, Plan, Reply
from load.fake_provider.provider import (
    REFUSAL,
    BadAsk,
    Header,
    Order,
    Provider,
    encode,
    named_event,
)

VERSION = "2023-06-01"
ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class Message(msgspec.Struct):
    """A turn of the conversation."""

    role: str
    content: str | list[Any]


class MessagesBody(msgspec.Struct):
    """The fields of a request that shape the fake's answer; the others are accepted."""

    model: str
    max_tokens: int
    messages: list[Message]
    system: str | list[Any] | None = None
    stream: bool | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: dict[str, Any] | None = None


decoder = msgspec.json.Decoder(MessagesBody)


def failure(status: int, message: str) -> bytes:
    """Anthropic's error envelope."""
    return encode(_error(ERROR_TYPES.get(status, "api_error"), message))


def error_event(message: str) -> bytes:
    """An error in the middle of a stream."""
    return named_event("error", _error("overloaded_error", message))


def admits(header: Header, key: str | None) -> tuple[int, str] | None:
    """Admission by x-api-key; the version header is required, as in the real one."""
    if key is not None and header(b"x-api-key") != key:
        return 401, "invalid x-api-key"
    if header(b"anthropic-version") != VERSION:
        return 400, f"anthropic-version: header is required, as {VERSION}"
    return None


def plan(order: Order) -> Plan:
    """One message, streamed or whole."""
    try:
        body = decoder.decode(order.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadAsk(400, "The request body is not a valid message request.") from error
    ask = ask_of(body)
    said = say(ask, order.variant, order.settings.stream_chunks)
    if ask.stream:
        events, tokens = anthropic_stream.events(ask, said, order.variant)
        reply = Reply(200, events, tokens, True, SSE_TYPE)
    else:
        message = encode(_message(ask, said, order.variant))
        reply = Reply(200, (message,), (said.usage.output,))
    return Plan(reply, ask.model, said.usage, ask.directives.get("fault", ""))


def ask_of(body: MessagesBody) -> Ask:
    """Reduces a request to what shapes the answer."""
    if not body.messages or body.max_tokens < 1:
        raise BadAsk(400, "messages: at least one is required; max_tokens: at least 1")
    if body.model.startswith("no-such"):
        raise BadAsk(404, f"model: {body.model}")
    system, attached = text_of(body.system)
    texts = ["system", system]
    tokens = TOOL_TOKENS * len(body.tools or ()) + len(system.split()) + attached
    prompt = ""
    for message in body.messages:
        if message.role not in ("user", "assistant"):
            raise BadAsk(400, 'messages: role is "user" or "assistant"')
        text, attached = text_of(message.content)
        tokens += len(text.split()) + attached
        texts += (message.role, text)
        prompt = text if message.role == "user" else prompt
    ask = Ask(body.model, prompt, tokens, digest_of(texts), bool(body.stream))
    ask.max_tokens = body.max_tokens
    ask.directives = read_directives(prompt)
    _choose_tool(ask, body)
    return ask


def _choose_tool(ask: Ask, body: MessagesBody) -> None:
    choice = body.tool_choice or {}
    tools = body.tools or []
    if choice.get("type") == "tool":
        tools = [tool for tool in tools if tool.get("name") == choice.get("name")]
    if not tools or choice.get("type") == "none":
        return
    ask.tool = tools[0]
    if choice.get("type") in ("tool", "any") or "call tool" in ask.prompt.lower():
        ask.directives["tool"] = ""


def _message(ask: Ask, said: Said, variant: Variant) -> dict[str, Any]:
    text = REFUSAL if variant.name == "refusal" else " ".join(said.words)
    content: list[dict[str, Any]] = [{"type": "text", "text": text}]
    if said.tool:
        content = [tool_use(said.tool, fill(said.tool.get("input_schema")))]
    if variant.name in ("empty_choices", "null_content"):
        content = []
    message: dict[str, Any] = {
        "id": f"msg_{ID_TEXT}",
        "type": "message",
        "role": "assistant",
        "model": ask.model,
        "content": content,
        "stop_reason": stop_reason(said, variant),
        "stop_sequence": None,
        "usage": usage_of(said.usage),
    }
    if variant.name == "usage_missing":
        del message["usage"]
    return message


def _error(kind: str, message: str) -> dict[str, Any]:
    error = {"type": kind, "message": message}
    return {"type": "error", "error": error, "request_id": f"req_{ID_TEXT}"}


ANTHROPIC = Provider(plan, failure, error_event, admits)
