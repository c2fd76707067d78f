"""OpenAI's streamed chat completion: its chunks, and the odd places providers put usage in."""

from __future__ import annotations

from typing import Any

from load.fake_provider.answer import Ask, Said, Usage, Variant, fill
from load.fake_provider.plan import ID_TEXT
from load.fake_provider.provider import DONE, REFUSAL, data_event, encode

CREATED = 1_700_000_000


def usage_of(usage: Usage) -> dict[str, Any]:
    """Usage as OpenAI reports it: the prompt's tokens have the cached ones among them."""
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.output,
        "total_tokens": usage.prompt + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached_input, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": 0},
    }


def finish_reason(said: Said, variant: Variant) -> str:
    """Why the answer ended."""
    if variant.name == "content_filter":
        return "content_filter"
    if said.tool:
        return "tool_calls"
    return "length" if said.cut else "stop"


def tool_calls(tool: dict[str, Any], arguments: Any) -> dict[str, Any]:
    """One tool call in a message."""
    function = {"name": tool.get("name", ""), "arguments": encode(arguments).decode()}
    return {"id": f"call_{ID_TEXT}", "type": "function", "function": function}


def events(ask: Ask, said: Said, variant: Variant) -> tuple[tuple[bytes, ...], tuple[int, ...]]:
    """All events of a stream, and the output tokens generated once each has been sent."""
    usage = usage_of(said.usage)
    early = usage if variant.name == "usage_early" else None
    twice = usage if variant.name == "usage_twice" else None
    deltas = _deltas(ask, said, variant)
    out = [_chunk(ask, index, delta) for index, delta, _ in deltas]
    tokens = [count for _, _, count in deltas]
    if early and deltas:
        index, delta, _ = deltas[-1]
        out[-1] = _chunk(ask, index, delta, usage=early)
    reason = finish_reason(said, variant)
    for index in range(ask.choices):
        out.append(_chunk(ask, index, {}, reason, usage=twice))
    if _sends_usage_last(ask, variant):
        out.append(_usage_chunk(ask, usage))
    out.append(DONE)
    tokens += [said.usage.output] * (len(out) - len(tokens))
    return tuple(out), tuple(tokens)


def _sends_usage_last(ask: Ask, variant: Variant) -> bool:
    if variant.name == "usage_twice":
        return True
    return ask.include_usage and variant.name not in ("usage_missing", "usage_early")


def _deltas(ask: Ask, said: Said, variant: Variant) -> list[tuple[int, dict[str, Any], int]]:
    """(choice, delta, tokens by then): the role first, then a word a chunk, choices in turn."""
    thought = said.usage.reasoning
    count = 0 if variant.name == "empty_choices" else ask.choices
    rows: list[tuple[int, dict[str, Any], int]] = []
    for index in range(count):
        rows.append((index, {"role": "assistant", "content": ""}, thought))
    if variant.name == "refusal":
        rows.append((0, {"refusal": REFUSAL}, said.usage.output))
        return rows
    if said.tool:
        return rows + _tool_deltas(said.tool, count, said.usage.output)
    spoken = thought
    for number, word in enumerate(said.words):
        for index in range(count):
            spoken += 1
            rows.append((index, {"content": f" {word}" if number else word}, spoken))
    return rows


def _tool_deltas(
    tool: dict[str, Any], count: int, tokens: int
) -> list[tuple[int, dict[str, Any], int]]:
    whole = tool_calls(tool, fill(tool.get("parameters")))
    arguments: str = whole["function"]["arguments"]
    opening = {**whole, "index": 0, "function": {**whole["function"], "arguments": ""}}
    half = len(arguments) // 2
    rows: list[tuple[int, dict[str, Any], int]] = []
    for index in range(count):
        rows.append((index, {"tool_calls": [opening]}, tokens))
        for part in (arguments[:half], arguments[half:]):
            piece = {"index": 0, "function": {"arguments": part}}
            rows.append((index, {"tool_calls": [piece]}, tokens))
    return rows


def _chunk(
    ask: Ask,
    index: int,
    delta: dict[str, Any],
    reason: str | None = None,
    usage: dict[str, Any] | None = None,
) -> bytes:
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}
    chunk = {**_envelope(ask), "choices": [choice]}
    if usage or ask.include_usage:
        chunk["usage"] = usage
    return data_event(chunk)


def _usage_chunk(ask: Ask, usage: dict[str, Any]) -> bytes:
    return data_event({**_envelope(ask), "choices": [], "usage": usage})


def _envelope(ask: Ask) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{ID_TEXT}",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": ask.model,
        "system_fingerprint": "fp_fake",
    }
