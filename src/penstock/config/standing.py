"""What holds unless configured: tiers, limits and the models each vendor is asked for."""

from __future__ import annotations

from msgspec import Struct

from penstock.config.tiers import Tier
from penstock.config.values import Kind, Limit

WEEK = 7 * 24 * 3600

TIERS = {
    "free": Tier(
        requests_per_hour=100, scale=1, embedding_batch=10, documents=5, document_bytes=50 << 10
    ),
    "pro": Tier(
        requests_per_hour=1_000, scale=10, embedding_batch=50,
        documents=100, document_bytes=500 << 10,
    ),
    "enterprise": Tier(
        requests_per_hour=10_000, scale=100, embedding_batch=100,
        documents=1_000, document_bytes=5 << 20,
    ),
}  # fmt: skip

LIMITS = {
    "chat": Limit(requests=100),
    "rag": Limit(requests=50),
    "other": Limit(requests=200),
    "register": Limit(requests=5, scale="none"),
    "login": Limit(requests=10, window=15 * 60, scale="none"),
}

OPENAI_URL = "https://api.openai.com/v1"
ANTHROPIC_URL = "https://api.anthropic.com"
CLOUDFLARE_URL = "https://api.cloudflare.com/client/v4"
VENDOR_URLS: dict[Kind, str] = {
    "openai": OPENAI_URL,
    "anthropic": ANTHROPIC_URL,
    "workers_ai": CLOUDFLARE_URL,
}
VENDOR_NAMES = frozenset({"openai", "anthropic", "cloudflare"})
HASHED = "hashed-lexical-384"
SERVED = "gpt-4o"
"""What a chat service is asked for, at OpenAI's price, where nothing says otherwise."""


class Choice(Struct, frozen=True):
    """The models of a vendor that `auto` and `embed` are made of: of each part the first that is a target."""

    simple: tuple[str, ...] = ()
    medium: tuple[str, ...] = ()
    strong: tuple[str, ...] = ()
    embed: tuple[str, ...] = ()


CHOICES: dict[Kind, Choice] = {
    "workers_ai": Choice(
        simple=("@cf/ibm-granite/granite-4.0-h-micro",),
        medium=("@cf/meta/llama-3.1-8b-instruct-fp8-fast",),
        embed=("@cf/baai/bge-base-en-v1.5",),
    ),
    "openai": Choice(
        simple=("gpt-4o-mini", "gpt-5.4-mini"),
        medium=("gpt-4o-mini", "gpt-5.4-mini"),
        strong=("gpt-4o", "gpt-5.4"),
        embed=("text-embedding-3-small",),
    ),
    "anthropic": Choice(
        simple=("claude-haiku-4-5",),
        medium=("claude-haiku-4-5",),
        strong=("claude-sonnet-4-6", "claude-sonnet-4-5"),
    ),
    "sandbox": Choice(
        simple=("granite-4.0-h-micro",),
        medium=("llama-3.1-8b-instruct-fp8-fast",),
        strong=("gpt-4o", "gpt-5.4"),
    ),
}
STOOD_FOR: tuple[Kind, ...] = ("openai", "anthropic", "workers_ai")
"""The kinds whose models the sandbox stands for."""

RETIRED = {
    "@cf/meta/llama-2-7b-chat-int8": "simple",
    "@cf/mistral/mistral-7b-instruct-v0.1": "medium",
}
"""Models of the first design that no longer exist, and the part of `auto` that took their place."""
