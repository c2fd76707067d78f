"""The dated table of what Cloudflare bills: each line with what its free and its paid plan include.

The figures are those of Cloudflare's documentation (developers.cloudflare.com, the pricing and limits pages of Workers,
Workers KV, D1, Durable Objects, R2, Vectorize and Workers AI), read on CHECKED in stored copies, of which those with a date are of April
to June 2026. Days are UTC days. What a plan includes is an account's, not a Worker's: others of yours draw on it too.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from penstock.prices.arithmetic import FREE_NEURONS_PER_DAY, NEURON_NANOS

CHECKED = "2026-11-27"
SUBSCRIPTION_NANOS = 5_000_000_000
"""The paid plan's least charge a month, for all Workers of an account."""
FREE_CPU_MS = 10
"""What one request may take on the free plan; Cloudflare ends those that go on."""

MILLION = 1_000_000
GB = 1_000_000_000
DOLLAR = 1_000_000_000
CENT = 10_000_000

Each = Literal["day", "month", "ever"]
"""How often an allotment is whole again; `ever` is for what is stored."""


class Allotment(Struct, frozen=True):
    """So many units, a day, a month or at any time."""

    units: int
    each: Each


class Line(Struct, frozen=True):
    """One line of the bill: nano-dollars for `per` units beyond `paid`; without an allotment nothing is counted.

    Units are whole and small enough for that: a GB-second is a million of them, a neuron too. `scale` units are one of
    `unit`. `whole` lines are billed by whole `per`, as the examples of their pages do. `end` is what becomes of
    requests where the free plan's allotment ends.
    """

    name: str
    what: str
    unit: str
    nanos: int
    per: int
    free: Allotment | None
    paid: Allotment
    end: str
    scale: int = 1
    whole: bool = False


def _daily(units: int) -> Allotment:
    return Allotment(units, "day")


def _monthly(units: int) -> Allotment:
    return Allotment(units, "month")


def _stored(units: int) -> Allotment:
    return Allotment(units, "ever")


SHUT = "Cloudflare answers in the gateway's place, with an error"
UNCOUNTED = "nobody with a credential or a limit is admitted: 503"
UNBOOKED = "nothing that costs is sent: 503"
BOUGHT = "the cache finds nothing, so each request is bought"
UNKEPT = "the cache takes nothing new in"
BILLED = "it is billed at the paid plan's price, on the free plan too"
UNANSWERED = "Workers AI refuses; the route's next target is tried"
UNFOUND = "searches and writes are refused"

LINES = (
    Line("worker_requests", "Workers: requests", "requests", 30 * CENT, MILLION,
         _daily(100_000), _monthly(10 * MILLION), SHUT),
    Line("worker_cpu_ms", "Workers: CPU", "ms", 2 * CENT, MILLION,
         None, _monthly(30 * MILLION), "a request above 10 ms is ended"),
    Line("object_requests", "Durable Objects: requests", "requests", 15 * CENT, MILLION,
         _daily(100_000), _monthly(MILLION), UNCOUNTED, whole=True),
    Line("object_duration", "Durable Objects: duration", "GB-s", 1_250 * CENT, MILLION * MILLION,
         _daily(13_000 * MILLION), _monthly(400_000 * MILLION), UNCOUNTED, scale=MILLION, whole=True),
    Line("object_rows_read", "Durable Objects: rows read", "rows", DOLLAR // 1_000, MILLION,
         _daily(5 * MILLION), _monthly(25_000 * MILLION), UNCOUNTED),
    Line("object_rows_written", "Durable Objects: rows written", "rows", DOLLAR, MILLION,
         _daily(100_000), _monthly(50 * MILLION), UNCOUNTED),
    Line("object_bytes", "Durable Objects: stored", "GB", 20 * CENT, GB,
         _stored(5 * GB), _stored(5 * GB), UNCOUNTED, scale=GB),
    Line("d1_rows_read", "D1: rows read", "rows", DOLLAR // 1_000, MILLION,
         _daily(5 * MILLION), _monthly(25_000 * MILLION), UNBOOKED),
    Line("d1_rows_written", "D1: rows written", "rows", DOLLAR, MILLION,
         _daily(100_000), _monthly(50 * MILLION), UNBOOKED),
    Line("d1_bytes", "D1: stored", "GB", 75 * CENT, GB,
         _stored(GB // 2), _stored(5 * GB), UNBOOKED, scale=GB),
    Line("kv_reads", "Workers KV: reads", "reads", 50 * CENT, MILLION,
         _daily(100_000), _monthly(10 * MILLION), BOUGHT),
    Line("kv_writes", "Workers KV: writes", "writes", 5 * DOLLAR, MILLION,
         _daily(1_000), _monthly(MILLION), UNKEPT),
    Line("kv_deletes", "Workers KV: deletes", "deletes", 5 * DOLLAR, MILLION,
         _daily(1_000), _monthly(MILLION), UNKEPT),
    Line("kv_lists", "Workers KV: lists", "lists", 5 * DOLLAR, MILLION,
         _daily(1_000), _monthly(MILLION), UNKEPT),
    Line("kv_bytes", "Workers KV: stored", "GB", 50 * CENT, GB,
         _stored(GB), _stored(GB), UNKEPT, scale=GB),
    Line("r2_writes", "R2: class A (writes, lists)", "operations", 450 * CENT, MILLION,
         _monthly(MILLION), _monthly(MILLION), BILLED, whole=True),
    Line("r2_reads", "R2: class B (reads)", "operations", 36 * CENT, MILLION,
         _monthly(10 * MILLION), _monthly(10 * MILLION), BILLED, whole=True),
    Line("r2_bytes", "R2: stored", "GB", 15 * CENT // 10, GB,
         _stored(10 * GB), _stored(10 * GB), BILLED, scale=GB, whole=True),
    Line("vector_queried", "Vectorize: dimensions queried", "dimensions", CENT, MILLION,
         _monthly(30 * MILLION), _monthly(50 * MILLION), UNFOUND),
    Line("vector_stored", "Vectorize: dimensions stored", "dimensions", 5 * CENT, 100 * MILLION,
         _stored(5 * MILLION), _stored(10 * MILLION), UNFOUND),
    Line("neurons", "Workers AI: neurons", "neurons", 1_000 * NEURON_NANOS, 1_000 * MILLION,
         _daily(FREE_NEURONS_PER_DAY * MILLION), _daily(FREE_NEURONS_PER_DAY * MILLION), UNANSWERED, scale=MILLION),
)  # fmt: skip
"""D1's free storage is 5 GB in databases of at most 0.5 GB: the ledger is one of them."""
