"""OpenAI's `usage` object ⇄ the gateway's Usage."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from penstock.wire.chat import Usage
from penstock.wire.json import parser

Tokens = Annotated[int, Meta(ge=0, le=1_000_000_000)]


class _PromptDetails(Struct):
    cached_tokens: Tokens | None = None
    cache_write_tokens: Tokens | None = None


class _CompletionDetails(Struct):
    reasoning_tokens: Tokens | None = None


class _Usage(Struct):
    prompt_tokens: Tokens
    completion_tokens: Tokens | None = None
    total_tokens: Tokens | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


_decode = parser(_Usage)


def read_usage(raw: bytes | msgspec.Raw) -> Usage | None:
    """The provider's usage, or None where it is absent or contradicts itself.

    Some servers leave reasoning out of `completion_tokens` and count it in `total_tokens` alone:
    what the total has beyond the two is billed as output.
    """
    try:
        said = _decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None
    prompt, details = said.prompt_tokens, said.prompt_tokens_details
    cached = (details and details.cached_tokens) or 0
    written = (details and details.cache_write_tokens) or 0
    output = max(said.completion_tokens or 0, (said.total_tokens or 0) - prompt)
    more = said.completion_tokens_details
    reasoning = (more and more.reasoning_tokens) or 0
    if cached + written > prompt or reasoning > output:
        return None
    return Usage(prompt - cached - written, cached, written, output, reasoning)


def write_usage(usage: Usage) -> dict[str, Any]:
    """Usage in OpenAI's form."""
    details = {"cached_tokens": usage.cached_input}
    if usage.cache_write:
        details["cache_write_tokens"] = usage.cache_write
    return {
        "prompt_tokens": usage.total_input,
        "completion_tokens": usage.output,
        "total_tokens": usage.total,
        "prompt_tokens_details": details,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }
