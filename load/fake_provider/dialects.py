"""Which dialect a path belongs to."""

from __future__ import annotations

from load.fake_provider.anthropic import ANTHROPIC
from load.fake_provider.openai import OPENAI
from load.fake_provider.provider import Provider
from load.fake_provider.workers_ai import WORKERS_AI


def dialect_of(method: str, path: str) -> Provider | None:
    """The dialect that answers, or None: 404. Prefixes such as Groq's /openai are allowed."""
    compatible = path.endswith(("/chat/completions", "/embeddings"))
    if method == "GET":
        return OPENAI if path.endswith("/v1/models") else None
    if method != "POST":
        return None
    if "/accounts/" in path and ("/ai/run/" in path or compatible):
        return WORKERS_AI
    if path.endswith("/v1/messages"):
        return ANTHROPIC
    return OPENAI if compatible else None
