"""What a caller may do, by name."""

from __future__ import annotations

CHAT = "chat"
EMBED = "embed"
RAG = "rag"
ADMIN = "admin"
USAGE = "usage"
ROUTE_FORCE = "route:force"
RAG_SHARE = "rag:share"

KNOWN = frozenset({CHAT, EMBED, RAG, ADMIN, USAGE, ROUTE_FORCE, RAG_SHARE})
DEFAULT = frozenset({CHAT, EMBED, RAG})
"""Of a credential that names none."""
ANONYMOUS = frozenset({CHAT, EMBED})
"""Of a caller without a credential, on routes that let one in."""
