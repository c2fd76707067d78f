"""Writes replies in OpenAI's chat form, for providers that speak another."""

from __future__ import annotations

from typing import Any

from penstock.providers.usage import write_usage
from penstock.wire.chat import Usage
from penstock.wire.json import encode
from penstock.wire.sse import data

RANKS = {
    "stop": 0,
    "": 1,
    "length": 2,
    "tool_calls": 3,
    "function_call": 3,
    "content_filter": 5,
    "refusal": 6,
}
"""A reply of several choices ends as its worst one; an unknown reason stands at 4."""


def worst(one: str | None, other: str) -> str:
    """The finish that says more against keeping the reply; None is no finish yet."""
    if one is None:
        return other
    return one if RANKS.get(one, 4) >= RANKS.get(other, 4) else other


class Chunks:
    """Chunks of one streamed reply."""

    __slots__ = ("_head",)

    def __init__(self, id: str, created: int, model: str) -> None:
        self._head: dict[str, Any] = {
            "id": id,
            "object": "chat.completion.chunk",
            "created": created,
            "model": model,
        }

    def delta(self, delta: dict[str, Any], finish: str | None = None, index: int = 0) -> bytes:
        """One choice's next piece as a server-sent event."""
        choice = {"index": index, "delta": delta, "finish_reason": finish}
        return data(encode({**self._head, "choices": [choice]}))

    def usage(self, usage: Usage) -> bytes:
        """The usage-only chunk as a server-sent event."""
        return data(encode({**self._head, "choices": [], "usage": write_usage(usage)}))


def completion(
    id: str,
    created: int,
    model: str,
    choices: list[tuple[dict[str, Any], str]],
    usage: Usage | None,
) -> bytes:
    """A whole `chat.completion` of choices (message, finish)."""
    reply: dict[str, Any] = {
        "id": id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [
            {"index": i, "message": message, "logprobs": None, "finish_reason": finish}
            for i, (message, finish) in enumerate(choices)
        ],
    }
    if usage is not None:
        reply["usage"] = write_usage(usage)
    return encode(reply)


def message(text: str | None, tool_calls: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """An assistant's message; without text and calls its content is the empty string."""
    said: dict[str, Any] = {"role": "assistant", "content": text or (None if tool_calls else "")}
    said["refusal"] = None
    if tool_calls:
        said["tool_calls"] = tool_calls
    return said


def tool_call(id: str, name: str, arguments: str) -> dict[str, Any]:
    """One function call of a message."""
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
