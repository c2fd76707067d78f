"""Anthropic's streamed message: named events, usage at the start and in message_delta."""

from __future__ import annotations

from typing import Any

from load.fake_provider.answer import Ask, Said, Usage, Variant, fill
from load.fake_provider.plan import ID_TEXT
from load.fake_provider.provider import REFUSAL, encode, named_event

Counted = list[tuple[bytes, int]]


def usage_of(usage: Usage) -> dict[str, Any]:
    """Usage as Anthropic reports it: cached and cache-written tokens stand beside the input's."""
    return {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cached_input,
        "output_tokens": usage.output,
    }


def stop_reason(said: Said, variant: Variant) -> str:
    """Why the answer ended; a filtered one is a refusal here."""
    if variant.name in ("refusal", "content_filter"):
        return "refusal"
    if said.tool:
        return "tool_use"
    return "max_tokens" if said.cut else "end_turn"


def tool_use(tool: dict[str, Any], arguments: Any) -> dict[str, Any]:
    """A tool call's content block."""
    name = tool.get("name", "")
    return {"type": "tool_use", "id": f"toolu_{ID_TEXT}", "name": name, "input": arguments}


def events(ask: Ask, said: Said, variant: Variant) -> tuple[tuple[bytes, ...], tuple[int, ...]]:
    """All events of a stream, and the output tokens generated once each has been sent."""
    thought = said.usage.reasoning
    rows: Counted = [(_start(ask, said, variant), thought)]
    if variant.name not in ("empty_choices", "null_content"):
        rows += _block(said, variant)
    rows += [(event, said.usage.output) for event in _ending(said, variant)]
    return tuple(event for event, _ in rows), tuple(count for _, count in rows)


def _start(ask: Ask, said: Said, variant: Variant) -> bytes:
    message: dict[str, Any] = {
        "id": f"msg_{ID_TEXT}",
        "type": "message",
        "role": "assistant",
        "model": ask.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**usage_of(said.usage), "output_tokens": min(1, said.usage.output)},
    }
    if variant.name == "usage_missing":
        del message["usage"]
    return named_event("message_start", {"type": "message_start", "message": message})


def _block(said: Said, variant: Variant) -> Counted:
    """The one content block: its start, a ping, a delta a word, its stop."""
    thought, output = said.usage.reasoning, said.usage.output
    opening: dict[str, Any] = {"type": "text", "text": ""}
    deltas = _text_deltas(said, variant)
    if said.tool:
        opening = tool_use(said.tool, {})
        deltas = _tool_deltas(said.tool, output)
    return [
        (_event("content_block_start", index=0, content_block=opening), thought),
        (_event("ping"), thought),
        *((_event("content_block_delta", index=0, delta=d), count) for d, count in deltas),
        (_event("content_block_stop", index=0), output),
    ]


def _text_deltas(said: Said, variant: Variant) -> list[tuple[dict[str, Any], int]]:
    if variant.name == "refusal":
        return [({"type": "text_delta", "text": REFUSAL}, said.usage.output)]
    thought = said.usage.reasoning
    return [
        ({"type": "text_delta", "text": f" {word}" if at else word}, thought + at + 1)
        for at, word in enumerate(said.words)
    ]


def _tool_deltas(tool: dict[str, Any], tokens: int) -> list[tuple[dict[str, Any], int]]:
    text = encode(fill(tool.get("input_schema"))).decode()
    half = len(text) // 2
    parts = ("", text[:half], text[half:])
    return [({"type": "input_json_delta", "partial_json": part}, tokens) for part in parts]


def _ending(said: Said, variant: Variant) -> list[bytes]:
    delta = {"stop_reason": stop_reason(said, variant), "stop_sequence": None}
    usage = usage_of(said.usage)
    without = _event("message_delta", delta=delta)
    final = _event("message_delta", delta=delta, usage=usage)
    early = _event("message_delta", delta={"stop_reason": None, "stop_sequence": None}, usage=usage)
    middle = {
        "usage_missing": [without],
        "usage_early": [early, without],
        "usage_twice": [early, final],
    }.get(variant.name, [final])
    return [*middle, _event("message_stop")]


def _event(kind: str, **fields: Any) -> bytes:
    return named_event(kind, {"type": kind, **fields})
