"""Cloudflare's dialect: Workers AI over REST, `ai/run/{model}`, and its OpenAI-compatible paths."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from load.fake_provider import openai
from load.fake_provider.answer import Ask, Said, Usage, Variant, fill, read_directives, say, vector
from load.fake_provider.openai_stream import usage_of
from load.fake_provider.plan import SSE_TYPE, Plan, Reply
from load.fake_provider.provider import (
    DONE,
    REFUSAL,
    BadAsk,
    Order,
    Provider,
    bearer,
    data_event,
    encode,
)

RUN_PATH = re.compile(r"/accounts/[^/]+/ai/run/(.+)$")
DEFAULT_MAX_TOKENS = 256
MAX_TEXTS = 100
DIMENSIONS = {"bge-small-en-v1.5": 384, "bge-base-en-v1.5": 768, "bge-large-en-v1.5": 1024}
DIMENSIONS["bge-m3"] = 1024
DEFAULT_DIMENSIONS = 768
NO_MODEL = "No such model"
NO_MODEL_CODE = 5007
ERROR_CODES = {400: 5006, 401: 10000, 403: 10000, 404: 3042, 408: 3007, 413: 3006, 429: 3040}


class RunBody(msgspec.Struct):
    """The body of ai/run: `text` for embeddings, `messages` or `prompt` for an answer."""

    text: str | list[str] | None = None
    prompt: str | None = None
    messages: list[openai.Message] | None = None
    stream: bool | None = None
    max_tokens: int | None = None
    tools: list[dict[str, Any]] | None = None


decoder = msgspec.json.Decoder(RunBody)


def failure(status: int, message: str) -> bytes:
    """Cloudflare's API envelope of an error."""
    code = NO_MODEL_CODE if message.startswith(NO_MODEL) else ERROR_CODES.get(status, 3043)
    error = {"code": code, "message": message}
    return encode({"result": None, "success": False, "errors": [error], "messages": []})


def error_event(message: str) -> bytes:
    """An error in the middle of a stream."""
    error = {"code": 3043, "message": message}
    return data_event({"success": False, "errors": [error]})


def plan(order: Order) -> Plan:
    """Runs a model, or answers as OpenAI does on the compatible paths."""
    named = RUN_PATH.search(order.path)
    if named is None:
        return openai.plan(order)
    try:
        body = decoder.decode(order.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadAsk(
            400, "AiError: Bad input: the body does not fit the model's schema."
        ) from error
    model = named.group(1)
    if "no-such" in model:
        raise BadAsk(400, f"{NO_MODEL} {model} or task")
    return _embed(model, body) if body.text is not None else _chat(order, model, body)


def _embed(model: str, body: RunBody) -> Plan:
    texts = [body.text] if isinstance(body.text, str) else body.text or []
    if not 1 <= len(texts) <= MAX_TEXTS:
        raise BadAsk(400, "AiError: Bad input: 1 to 100 texts.")
    size = DIMENSIONS.get(model.rpartition("/")[2], DEFAULT_DIMENSIONS)
    data = b",".join([vector(text, size, "float") for text in texts])
    tokens = sum(len(text.split()) for text in texts)
    usage = encode(usage_of(Usage(input=tokens)))
    result = b'{"shape":[%d,%d],"data":[%s],"pooling":"cls","usage":%s}'
    whole = _wrapped(result % (len(texts), size, data, usage))
    fault = read_directives(texts[-1]).get("fault", "")
    return Plan(Reply(200, (whole,)), model, Usage(input=tokens), fault)


def _chat(order: Order, model: str, body: RunBody) -> Plan:
    messages = body.messages
    if not messages and body.prompt:
        messages = [openai.Message("user", body.prompt)]
    tools = [tool if "function" in tool else {"function": tool} for tool in body.tools or []]
    limit = DEFAULT_MAX_TOKENS if body.max_tokens is None else body.max_tokens
    chat = openai.ChatBody(model, messages or [], body.stream, max_tokens=limit, tools=tools)
    ask = openai.ask_of(chat)
    said = say(ask, order.variant, order.settings.stream_chunks)
    if ask.stream:
        events, tokens = _events(ask, said, order.variant)
        reply = Reply(200, events, tokens, True, SSE_TYPE)
    else:
        whole = _wrapped(encode(_result(said, order.variant)))
        reply = Reply(200, (whole,), (said.usage.output,))
    return Plan(reply, model, said.usage, ask.directives.get("fault", ""))


def _wrapped(result: bytes) -> bytes:
    return b'{"result":%s,"success":true,"errors":[],"messages":[]}' % result


def _result(said: Said, variant: Variant) -> dict[str, Any]:
    result: dict[str, Any] = {"response": _text(said, variant)}
    if said.tool:
        result = {"response": None, "tool_calls": [_tool_call(said.tool)]}
    if variant.name != "usage_missing":
        result["usage"] = usage_of(said.usage)
    return result


def _text(said: Said, variant: Variant) -> str | None:
    if variant.name == "null_content":
        return None
    return REFUSAL if variant.name == "refusal" else " ".join(said.words)


def _tool_call(tool: dict[str, Any]) -> dict[str, Any]:
    return {"name": tool.get("name", ""), "arguments": fill(tool.get("parameters"))}


def _events(ask: Ask, said: Said, variant: Variant) -> tuple[tuple[bytes, ...], tuple[int, ...]]:
    thought, output = said.usage.reasoning, said.usage.output
    usage = usage_of(said.usage)
    pieces = [(f" {word}" if at else word, thought + at + 1) for at, word in enumerate(said.words)]
    if variant.name == "refusal":
        pieces = [(REFUSAL, output)]
    values: list[dict[str, Any]] = [{"response": text} for text, _ in pieces]
    if said.tool:
        values = [{"response": None, "tool_calls": [_tool_call(said.tool)]}]
    tokens = [count for _, count in pieces] or [output] * len(values)
    if values and variant.name in ("usage_early", "usage_twice"):
        values[-1]["usage"] = usage
    if variant.name not in ("usage_early", "usage_missing"):
        values.append({"response": "", "usage": usage})
    events = (*(data_event(value) for value in values), DONE)
    return events, (*tokens, *[output] * (len(events) - len(tokens)))


WORKERS_AI = Provider(plan, failure, error_event, bearer)
