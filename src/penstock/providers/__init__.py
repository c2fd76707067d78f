"""Model providers, each a module of pure translation between OpenAI's forms and its own."""

from __future__ import annotations

from penstock.providers import anthropic, openai, sandbox, service, workers_ai
from penstock.providers.call import Call, Chat, Decoder, Embed

__all__ = [
    "ALWAYS_CAPPED",
    "CACHES_UNASKED",
    "CHAT",
    "EMBED",
    "EMBED_FIELDS",
    "Call",
    "Chat",
    "Decoder",
    "Embed",
]

CHAT: dict[str, Chat] = {
    "openai": openai,
    "anthropic": anthropic,
    "workers_ai": workers_ai,
    "sandbox": sandbox,
    "service": service,
}
"""By provider kind."""

ALWAYS_CAPPED = frozenset({"anthropic", "workers_ai", "sandbox"})
"""Kinds that are always sent an output cap: the caller's, else the target's `default_max_output`."""

CACHES_UNASKED = frozenset({"openai"})
"""Kinds whose providers keep every long prompt warm; the others do where they are asked to, and say so."""

EMBED: dict[str, Embed] = {
    "openai": openai,
    "workers_ai": workers_ai,
    "sandbox": sandbox,
    "hashed": sandbox,
}
"""By provider kind; Anthropic has no embeddings, and `local` is the platform's Runner."""

EMBED_FIELDS: dict[str, frozenset[str] | None] = {
    "openai": None,
    "sandbox": None,
    "hashed": frozenset({"dimensions"}),
    "workers_ai": frozenset(),
    "local": frozenset(),
}
"""The fields beside texts that a kind's embeddings can express; None: whatever they are."""
