"""What a tier may do."""

from __future__ import annotations

from msgspec import Struct

from penstock.config.bounds import Count, DocumentBytes, Positive


class Tier(Struct, frozen=True, forbid_unknown_fields=True):
    """What a tier may do."""

    requests_per_hour: Positive = 100
    """All AI and RAG requests of a caller together."""
    scale: Positive = 1
    """Multiplies the endpoint limits that scale with the tier."""
    embedding_batch: Positive = 10
    """Texts in one call of `/api/ai/embeddings`."""
    tokens_per_minute: Count = 0
    """Tokens of a caller a minute; 0 = no token rate."""
    parallel: Count = 0
    """Calls of a caller that may run at once; 0 = no limit. Cached answers are none."""
    documents: Count = 5
    """Documents that a caller may have, and of theirs a tenant; failed ones do not count."""
    document_bytes: DocumentBytes = 50 << 10
    """Size of the largest."""
