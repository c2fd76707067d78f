"""What a Worker is bound to, and the Platform made of it for one request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from penstock.config import Target
from penstock.platforms.cloudflare import values
from penstock.platforms.cloudflare.blobs import CloudflareBlobs
from penstock.platforms.cloudflare.crypto import CloudflareCrypto
from penstock.platforms.cloudflare.fetch import CloudflareFetch
from penstock.platforms.cloudflare.meter import CloudflareMeter
from penstock.platforms.cloudflare.parse import CloudflareParse
from penstock.platforms.cloudflare.probes import CloudflareProbes
from penstock.platforms.cloudflare.replies import CloudflareReplies
from penstock.platforms.cloudflare.runner import CloudflareRunner
from penstock.platforms.cloudflare.store import CloudflareStore
from penstock.platforms.cloudflare.tables import CloudflareTables
from penstock.platforms.world import RandomIds, RealClock
from penstock.ports import Clock, Platform, Spawn

if TYPE_CHECKING:
    from penstock.platforms.cloudflare.index import CloudflareIndex

MOST_CACHED = 25 << 20
"""What KV takes in one value; the Cache API would take more than there is memory for."""


class Bindings(Struct, frozen=True):
    """What the Worker is bound to, JavaScript's own objects; None where there is no such binding."""

    kv: Any
    db: Any
    blobs: Any
    meter: Any
    ai: Any
    vectorize: Any


def bound(env: Any) -> Bindings:
    """The bindings of a Worker's `env`."""
    names = ("KV", "DB", "BLOBS", "METER", "AI", "VECTORIZE")
    return Bindings(*(values.binding(env, name) for name in names))


def platform(
    bindings: Bindings,
    spawn: Spawn,
    ids: RandomIds,
    secret: bytes,
    embedder: Target | None = None,
) -> Platform:
    """The platform of one request, whose work `spawn` has the runtime wait for."""
    clock = RealClock()
    tables = CloudflareTables(bindings.db)
    return Platform(
        name="cloudflare",
        fetch=CloudflareFetch(),
        store=CloudflareStore(bindings.kv, clock, MOST_CACHED),
        blobs=CloudflareBlobs(bindings.blobs, clock),
        meter=CloudflareMeter(bindings.meter),
        tables=tables,
        clock=clock,
        ids=ids,
        spawn=spawn,
        crypto=CloudflareCrypto(),
        runner=None if bindings.ai is None else CloudflareRunner(bindings.ai),
        parse=CloudflareParse(),
        index=_index(bindings, tables, clock, ids, embedder),
        replies=CloudflareReplies(values.replies, clock, MOST_CACHED),
        probes=CloudflareProbes(bindings.meter),
        shared_loop=False,
        secret=secret,
    )


def _index(
    bindings: Bindings,
    tables: CloudflareTables,
    clock: Clock,
    ids: RandomIds,
    embedder: Target | None,
) -> CloudflareIndex | None:
    """Where Vectorize is bound and the target's vectors have a known length."""
    if bindings.vectorize is None or embedder is None or not embedder.dimension:
        return None
    from penstock.platforms.cloudflare.index import CloudflareIndex  # few have one

    return CloudflareIndex(
        bindings.vectorize, tables, clock, ids.secret, embedder.model, embedder.dimension
    )
