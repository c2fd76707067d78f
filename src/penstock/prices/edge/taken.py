"""What one request of each kind takes at the edge.

Calls of bindings and rows are counts: tests/edge/test_costs.py counts a whole gateway's on the adapters, on workerd's own
KV, D1, R2 and Durable Objects, and fails where this table says other than that. Three things are no counts and stand
in ASSUMED.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

CRON_A_DAY = 24 * 60
"""Passes of the reconciler: a Cron Trigger's finest step is a minute, and each is a request."""

CPU_MS = 5
CPU_BOUGHT_MS = 10
"""Of requests that go upstream."""
OBJECT_UNITS = 1_280
"""Of the objects' duration a request: 10 ms, in millionths of a GB-second at the 128 MB that Cloudflare reckons with."""
ASSUMED = (
    "CPU: 10 ms for a request that goes upstream and 5 ms for any other, the bounds that the gateway is held to",
    "Durable Objects: active for 10 ms a request, and not billed while idle",
    "D1: 2 KB a bought request, of which nothing is ever deleted",
)


class Kind(Struct, frozen=True):
    """What a request takes, by the names of the table's lines; those of its cache are for one text."""

    what: str
    takes: Mapping[str, int]


def _kind(
    what: str, cpu: int, d1: tuple[int, int], objects: tuple[int, int, int], **more: int
) -> Kind:
    """D1's rows read and written; the objects' requests, and their rows read and written."""
    return Kind(
        what,
        {
            "worker_requests": 1,
            "worker_cpu_ms": cpu,
            "d1_rows_read": d1[0],
            "d1_rows_written": d1[1],
            "object_requests": objects[0],
            "object_duration": objects[0] * OBJECT_UNITS,
            "object_rows_read": objects[1],
            "object_rows_written": objects[2],
            **more,
        },
    )


ADMITTED = (2, 68, 2)
"""A take of one mark and two rates: two objects, and a row for each rate."""
LIMITED = (4, 140, 6)
"""And a take of tokens and a parallel place, which is given back."""
ROW_BYTES = 2_048
"""Of the ledger, its indexes and the decision, a request that was bought."""

KINDS: dict[str, Kind] = {
    "chat": _kind("a chat that is bought", CPU_BOUGHT_MS, (8, 12), ADMITTED,
                  kv_reads=1, kv_writes=1, d1_bytes=ROW_BYTES),
    "chat_streamed": _kind("the same as a stream", CPU_BOUGHT_MS, (8, 12), ADMITTED,
                           kv_reads=1, kv_writes=1, d1_bytes=ROW_BYTES),
    "chat_limited": _kind("the same where tokens and parallel calls are limited", CPU_BOUGHT_MS, (8, 12), LIMITED,
                          kv_reads=1, kv_writes=1, d1_bytes=ROW_BYTES),
    "chat_keyed": _kind("the same with an Idempotency-Key", CPU_BOUGHT_MS, (15, 18), ADMITTED,
                        kv_reads=1, kv_writes=1, r2_writes=1, d1_bytes=ROW_BYTES),
    "chat_cached": _kind("a chat that the cache has", CPU_MS, (4, 6), ADMITTED,
                         kv_reads=1, d1_bytes=ROW_BYTES // 2),
    "embedding": _kind("embeddings that are bought, one text", CPU_BOUGHT_MS, (8, 12), ADMITTED,
                       kv_reads=1, kv_writes=1, d1_bytes=ROW_BYTES),
    "embedding_batch": _kind("embeddings that are bought, ten texts", CPU_BOUGHT_MS, (8, 12), ADMITTED,
                             kv_reads=10, kv_writes=10, d1_bytes=ROW_BYTES),
    "embedding_cached": _kind("embeddings that the cache has, one text", CPU_MS, (4, 6), ADMITTED,
                              kv_reads=1, d1_bytes=ROW_BYTES // 2),
    "refused": _kind("a refusal above a rate", CPU_MS, (1, 0), (2, 57, 0)),
    "stranger": _kind("a refusal of a credential that nobody knows", CPU_MS, (1, 0), (0, 0, 0)),
}  # fmt: skip

PASS = _kind("a pass of the reconciler", CPU_MS, (6, 1), (0, 0, 0))
"""Of one that goes on from another, where nothing is to be ended; a first one reads the whole ledger."""


def each(kind: str) -> Mapping[str, int]:
    """What one request of a kind takes."""
    return KINDS[kind].takes


def total(parts: Iterable[tuple[Mapping[str, int], int]]) -> dict[str, int]:
    """What so many of each take together."""
    found: dict[str, int] = {}
    for takes, number in parts:
        for name, units in takes.items():
            found[name] = found.get(name, 0) + units * number
    return found
