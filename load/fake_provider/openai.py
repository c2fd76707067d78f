"""OpenAI's dialect: chat completions, embeddings and models; Ollama, vLLM and Groq speak it too."""

from __future__ import annotations

from typing import Any

import msgspec

from load.fake_provider import openai_stream
from load.fake_provider.answer import (
    TOOL_TOKENS,
    Ask,
    Said,
    Usage,
    Variant,
    digest_of,
    fill,
    read_directives,
    say,
    text_of,
    vector,
)
from load.fake_provider.openai_stream import CREATED, finish_reason, tool_calls, usage_of
from load.fake_provider.plan import ID_MARK, ID_TEXT, SSE_TYPE, Plan, Reply
from load.fake_provider.provider import (
    REFUSAL,
    BadAsk,
    Order,
    Provider,
    bearer,
    data_event,
    encode,
)

MAX_CHOICES = 128
MAX_INPUTS = 2_048
DIMENSIONS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072}
DEFAULT_DIMENSIONS = 768
MODELS = ("gpt-4o", "gpt-4o-mini", "text-embedding-3-small", "text-embedding-3-large")
ERROR_TYPES = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "unsupported_country_region_territory"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}


class Message(msgspec.Struct):
    """A chat message; parts are left as they came."""

    role: str
    content: str | list[Any] | None = None


class StreamOptions(msgspec.Struct):
    """What a stream adds."""

    include_usage: bool | None = None


class ChatBody(msgspec.Struct):
    """The fields of a chat request that shape the fake's answer; the others are accepted."""

    model: str
    messages: list[Message]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: Any = None


class EmbeddingBody(msgspec.Struct):
    """An embedding request: texts, or token numbers."""

    model: str
    input: str | list[Any]
    encoding_format: str | None = None
    dimensions: int | None = None


# What nearly every call of a bench gets, without building it from dicts.
PLAIN_COMPLETION = (
    b'{"id":"chatcmpl-%b","object":"chat.completion","created":%d,"model":%b,"choices":['
    b'{"index":0,"message":{"role":"assistant","content":%b,"refusal":null},"logprobs":null,'
    b'"finish_reason":"%b"}],"usage":{"prompt_tokens":%d,"completion_tokens":%d,'
    b'"total_tokens":%d,"prompt_tokens_details":{"cached_tokens":%d,"audio_tokens":0},'
    b'"completion_tokens_details":{"reasoning_tokens":%d,"audio_tokens":0}},'
    b'"system_fingerprint":"fp_fake"}'
)

chat_decoder = msgspec.json.Decoder(ChatBody)
embedding_decoder = msgspec.json.Decoder(EmbeddingBody)


def failure(status: int, message: str) -> bytes:
    """OpenAI's error envelope."""
    kind, code = ERROR_TYPES.get(status, ("server_error", None))
    error = {"message": message, "type": kind, "param": None, "code": code}
    return encode({"error": error})


def error_event(message: str) -> bytes:
    """An error in the middle of a stream."""
    return data_event({"error": {"message": message, "type": "server_error", "code": None}})


def plan(order: Order) -> Plan:
    """Answers any path of the dialect by how it ends."""
    if order.path.endswith("/models"):
        return _models(order)
    try:
        if order.path.endswith("/embeddings"):
            return _embeddings(order, embedding_decoder.decode(order.body))
        body = chat_decoder.decode(order.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadAsk(400, "We could not parse the JSON body of your request.") from error
    return chat(order, body)


def chat(order: Order, body: ChatBody) -> Plan:
    """One chat completion, streamed or whole."""
    ask = ask_of(body)
    said = say(ask, order.variant, order.settings.stream_chunks)
    if ask.stream:
        events, tokens = openai_stream.events(ask, said, order.variant)
        reply = Reply(200, events, tokens, True, SSE_TYPE)
    else:
        plain = said.tool is None and not order.variant.name and ask.choices == 1
        whole = _plain(ask, said) if plain else encode(_completion(ask, said, order.variant))
        reply = Reply(200, (whole,), (said.usage.output,))
    return Plan(reply, ask.model, said.usage, ask.directives.get("fault", ""))


def ask_of(body: ChatBody) -> Ask:
    """Reduces a chat request to what shapes the answer."""
    choices = 1 if body.n is None else body.n
    if not body.messages or not 1 <= choices <= MAX_CHOICES:
        raise BadAsk(400, "Invalid 'messages' or 'n'.")
    if body.model.startswith("no-such"):
        raise BadAsk(404, f"The model `{body.model}` does not exist.")
    limit = body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens
    if limit is not None and limit < 1:
        raise BadAsk(400, "Invalid 'max_tokens': below the minimum value of 1.")
    texts: list[str] = []
    tokens = TOOL_TOKENS * len(body.tools or ())
    prompt = ""
    for message in body.messages:
        text, attached = text_of(message.content)
        tokens += len(text.split()) + attached
        texts += (message.role, text)
        prompt = text if message.role == "user" else prompt
    ask = Ask(body.model, prompt, tokens, digest_of(texts), bool(body.stream), choices, limit)
    ask.include_usage = bool(body.stream_options and body.stream_options.include_usage)
    ask.directives = read_directives(prompt)
    _choose_tool(ask, body, texts)
    return ask


def _choose_tool(ask: Ask, body: ChatBody, texts: list[str]) -> None:
    if not body.tools:
        return
    functions = [f for tool in body.tools if isinstance(f := tool.get("function"), dict)]
    named = body.tool_choice.get("function") if isinstance(body.tool_choice, dict) else None
    if isinstance(named, dict):
        functions = [f for f in functions if f.get("name") == named.get("name")]
    ask.tool = functions[0] if functions else None
    asked = texts[-2] == "user" and "call tool" in ask.prompt.lower()
    if asked or named or body.tool_choice == "required":
        ask.directives["tool"] = ""


def _plain(ask: Ask, said: Said) -> bytes:
    usage = said.usage
    return PLAIN_COMPLETION % (
        ID_MARK,
        CREATED,
        encode(ask.model),
        encode(" ".join(said.words)),
        b"length" if said.cut else b"stop",
        usage.prompt,
        usage.output,
        usage.prompt + usage.output,
        usage.cached_input,
        usage.reasoning,
    )


def _completion(ask: Ask, said: Said, variant: Variant) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if said.tool else " ".join(said.words),
        "refusal": None,
    }
    if said.tool:
        call = tool_calls(said.tool, fill(said.tool.get("parameters")))
        message["tool_calls"] = [call]
    if variant.name == "refusal":
        message |= {"content": None, "refusal": REFUSAL}
    if variant.name == "null_content":
        message["content"] = None
    reason = finish_reason(said, variant)
    count = 0 if variant.name == "empty_choices" else ask.choices
    choices = [
        {"index": index, "message": message, "logprobs": None, "finish_reason": reason}
        for index in range(count)
    ]
    completion: dict[str, Any] = {
        "id": f"chatcmpl-{ID_TEXT}",
        "object": "chat.completion",
        "created": CREATED,
        "model": ask.model,
        "choices": choices,
        "usage": usage_of(said.usage),
        "system_fingerprint": "fp_fake",
    }
    if variant.name == "usage_missing":
        del completion["usage"]
    return completion


def _embeddings(order: Order, body: EmbeddingBody) -> Plan:
    texts, tokens = inputs_of(body.input)
    size = body.dimensions or DIMENSIONS.get(body.model, DEFAULT_DIMENSIONS)
    encoding = body.encoding_format or "float"
    if encoding not in ("float", "base64") or not 1 <= size <= 4_096:
        raise BadAsk(400, "Invalid 'encoding_format' or 'dimensions'.")
    rows = [
        b'{"object":"embedding","index":%d,"embedding":%s}' % (i, vector(text, size, encoding))
        for i, text in enumerate(texts)
    ]
    usage = encode({"prompt_tokens": tokens, "total_tokens": tokens})
    parts = (b",".join(rows), encode(body.model), usage)
    reply = b'{"object":"list","data":[%s],"model":%s,"usage":%s}' % parts
    fault = read_directives(texts[-1]).get("fault", "")
    return Plan(Reply(200, (reply,)), body.model, Usage(input=tokens), fault)


def inputs_of(given: str | list[Any]) -> tuple[list[str], int]:
    """The inputs as texts (token numbers spelt out) and their tokens, from each form allowed."""
    items: list[Any] = [given] if isinstance(given, str) or _is_tokens(given) else given
    if not 1 <= len(items) <= MAX_INPUTS:
        raise BadAsk(400, "Invalid 'input': 1 to 2048 items.")
    texts: list[str] = []
    tokens = 0
    for item in items:
        if isinstance(item, str) and item:
            texts.append(item)
            tokens += len(item.split())
        elif _is_tokens(item):
            texts.append(",".join(map(str, item)))
            tokens += len(item)
        else:
            raise BadAsk(400, "Invalid 'input': texts or arrays of tokens, none empty.")
    return texts, tokens


def _is_tokens(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(one) is int for one in value)


def _models(order: Order) -> Plan:
    names = [*MODELS, *(n for n in order.settings.prices if n not in (*MODELS, "default"))]
    owner = {"object": "model", "created": CREATED, "owned_by": "fake"}
    listed = encode({"object": "list", "data": [{"id": name, **owner} for name in names]})
    return Plan(Reply(200, (listed,)))


OPENAI = Provider(plan, failure, error_event, bearer)
