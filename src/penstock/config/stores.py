"""Where answers and the books are kept."""

from __future__ import annotations

from msgspec import Struct

from penstock.config.bounds import Count, Positive


class Cache(Struct, frozen=True, forbid_unknown_fields=True):
    """Where answers are kept."""

    max_bytes: Positive = 64 << 20
    """Held in memory; ten times that on disk."""
    max_entry_bytes: Positive = 1 << 20
    """Largest answer kept."""
    http_max_bytes: Positive = 32 << 20
    """Of all that, what one process keeps of services' replies to GETs, so that answers have room."""


class Stores(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the processes of platform `server` meet."""

    postgres: str = ""
    """Keeps the ledger, budgets and keys: `postgresql://user:password@host:5432/name`."""
    redis: str = ""
    """Counts and caches: `redis://host:6379/0` of a Redis (6.2 or newer) or Valkey; `rediss://` by TLS, `redis+cluster://` a cluster."""
    replicas: Count = 0
    """While Redis is out of reach, each process admits to unpaid paths their limits divided by this number of processes; 0: none, 503."""
    max_reply_bytes: Positive = 4 << 30
    """How much is kept of replies under an `Idempotency-Key` and of uploaded documents, by all processes together."""
