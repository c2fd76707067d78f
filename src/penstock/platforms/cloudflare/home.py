"""What a Worker is bound to, and the Platform made of it for one request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from penstock.config.embedder import Embedder
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

UNBOUND = (
    "The Worker has no binding VECTORIZE (a Vectorize index), by which documents are found: bind it in wrangler.jsonc, or have"
    " it written and deployed by `penstock deploy cloudflare --apply`."
)
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
    assets: Any


def bound(env: Any) -> Bindings:
    """The bindings of a Worker's `env`."""
    names = ("KV", "DB", "BLOBS", "METER", "AI", "VECTORIZE", "ASSETS")
    return Bindings(*(values.binding(env, name) for name in names))


def platform(
    bindings: Bindings,
    spawn: Spawn,
    ids: RandomIds,
    secret: bytes,
    embedder: Embedder,
    no_index: str = "",
) -> Platform:
    """The platform of one request, whose work `spawn` has the runtime wait for; `no_index` says why its index is not used."""
    clock = RealClock()
    tables = CloudflareTables(bindings.db)
    no_index = no_index or _no_index(bindings, embedder)
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
        index=None if no_index else _index(bindings, tables, clock, ids, embedder),
        no_index=no_index,
        replies=CloudflareReplies(values.replies, clock, MOST_CACHED),
        probes=CloudflareProbes(bindings.meter),
        assets=None if bindings.assets is None else CloudflareFetch(bindings.assets),
        shared_loop=False,
        secret=secret,
    )


def _index(
    bindings: Bindings,
    tables: CloudflareTables,
    clock: Clock,
    ids: RandomIds,
    embedder: Embedder,
) -> CloudflareIndex:
    from penstock.platforms.cloudflare.index import CloudflareIndex  # few have one

    target = embedder.target
    assert target is not None
    return CloudflareIndex(
        bindings.vectorize, tables, clock, ids.secret, target.model, target.dimension
    )


def _no_index(bindings: Bindings, embedder: Embedder) -> str:
    """Why documents can be neither taken in nor found, empty where they can."""
    if embedder.target is None:
        return (
            "On Cloudflare documents are found by an embedding model's vectors alone, and there is none here, for"
            f" {embedder.why}: name a target with a model in rag.embedding, and deploy again."
        )
    return UNBOUND if bindings.vectorize is None else ""
