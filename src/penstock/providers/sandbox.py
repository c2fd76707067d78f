"""Labelled canned replies in OpenAI's form, for a gateway without a model; metered as real ones.

A token here is four bytes of UTF-8, rounded up, at least one a message or text.
"""

from __future__ import annotations

from typing import Any

from penstock.providers.hashed import DIMENSION, hashed_vectors
from penstock.providers.openai import (
    chat,
    decoder,
    embed,
    failure,
    inexpressible,
    key_headers,
    vectors,
)
from penstock.providers.replies import Chunks, completion, message, tool_call
from penstock.wire import sse
from penstock.wire.chat import Usage
from penstock.wire.http import JSON, Request, Response
from penstock.wire.json import decode_object, encode

__all__ = [
    "chat",
    "decoder",
    "embed",
    "failure",
    "inexpressible",
    "key_headers",
    "reply",
    "vectors",
]

BYTES_PER_TOKEN = 4
ECHO_CHARACTERS = 80
MAX_DIMENSION = 4096
LABEL = (
    "[sandbox] No model provider is configured, so this is a canned reply and not an answer. "
    "Set OPENAI_API_KEY, ANTHROPIC_API_KEY or OLLAMA_HOST to reach a model. You said: "
)


def reply(request: Request, id: str, created: int) -> Response:
    """The whole answer to a request of `chat` or `embed`; stands in for Fetch."""
    assert isinstance(request.body, bytes)
    body, _ = decode_object(request.body)
    if request.target.endswith(b"/embeddings"):
        return Response(200, (JSON,), _embeddings(body))
    if body.get("stream"):
        return Response(200, sse.HEADERS, _stream(body, id, created))
    usage, said, finish = _answer(body, id)
    choices = [(said, finish)] * (body.get("n") or 1)
    return Response(200, (JSON,), completion(id, created, body["model"], choices, usage))


def _stream(body: dict[str, Any], id: str, created: int) -> bytes:
    chunks = Chunks(id, created, body["model"])
    usage, said, finish = _answer(body, id)
    parts: list[bytes] = []
    for index in range(body.get("n") or 1):
        for delta in _deltas(said):
            parts.append(chunks.delta(delta, index=index))
        parts.append(chunks.delta({}, finish, index))
    if (body.get("stream_options") or {}).get("include_usage"):
        parts.append(chunks.usage(usage))
    return b"".join(parts) + sse.DONE


def _deltas(said: dict[str, Any]) -> list[dict[str, Any]]:
    first: dict[str, Any] = {"role": "assistant", "content": ""}
    if calls := said.get("tool_calls"):
        return [first, {"tool_calls": [{"index": 0, **calls[0]}]}]
    words = said["content"].split(" ")
    return [first, *({"content": word if i == 0 else f" {word}"} for i, word in enumerate(words))]


def _answer(body: dict[str, Any], id: str) -> tuple[Usage, dict[str, Any], str]:
    messages = body["messages"]
    asked = sum(_tokens(_text(each)) for each in messages)
    if name := _forced(body):
        said, finish, spoken = (
            message(None, [tool_call(f"call_{id}", name, "{}")]),
            "tool_calls",
            name,
        )
    else:
        spoken, finish = _capped(LABEL + _text(messages[-1])[:ECHO_CHARACTERS], body)
        said = message(spoken)
    return Usage(input=asked, output=_tokens(spoken) * (body.get("n") or 1)), said, finish


def _capped(text: str, body: dict[str, Any]) -> tuple[str, str]:
    if (body.get("response_format") or {}).get("type") in ("json_object", "json_schema"):
        text = encode({"sandbox": text}).decode()
    most = body.get("max_completion_tokens") or body.get("max_tokens")
    if most is None or _tokens(text) <= most:
        return text, "stop"
    return text.encode()[: most * BYTES_PER_TOKEN].decode(errors="ignore"), "length"


def _forced(body: dict[str, Any]) -> str | None:
    """The function a caller insists on: the one named, or the first."""
    choice, tools = body.get("tool_choice"), body.get("tools")
    if isinstance(choice, dict):
        return _name(choice)
    return _name(tools[0]) if choice == "required" and tools else None


def _name(tool: dict[str, Any]) -> str | None:
    function = tool.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else None


def _text(said: dict[str, Any]) -> str:
    content = said.get("content")
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content if part["type"] == "text")
    return content or ""


def _tokens(text: str) -> int:
    return max(1, -(-len(text.encode()) // BYTES_PER_TOKEN))


def _embeddings(body: dict[str, Any]) -> bytes:
    texts = body["input"]
    dimension = min(body.get("dimensions") or DIMENSION, MAX_DIMENSION)
    rows = [
        {"object": "embedding", "index": i, "embedding": values}
        for i, values in enumerate(hashed_vectors(texts, dimension))
    ]
    tokens = sum(_tokens(text) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return encode({"object": "list", "data": rows, "model": body["model"], "usage": usage})
