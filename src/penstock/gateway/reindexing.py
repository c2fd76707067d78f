"""Every ready document into the index of the model that is configured now, while others may serve from the old one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from penstock.auth.caller import Caller
from penstock.config.embedder import embedder
from penstock.errors import Missing, RateLimited
from penstock.gateway.routes import UPLOAD
from penstock.gateway.vectors import behind, vectors
from penstock.ports import Index, Vector
from penstock.rag import documents
from penstock.rag.documents import Document
from penstock.rag.passages import Passage, entry, told

if TYPE_CHECKING:
    from penstock.gateway import Gateway

BATCH = 50
PAGE = 20
OPERATOR = Caller(sub="reindex", tenant="", tier="enterprise")
"""Whom the ledger names for the embeddings: no caller asked for them."""
WAIT_SECONDS = 5.0


class Done(Struct):
    """So far; `total` was counted at the start."""

    total: int
    documents: int = 0
    passages: int = 0


Tell = Callable[[Done], None]


async def reindex(gateway: Gateway, *, everything: bool, tell: Tell) -> Done:
    """Those that are not in the index yet, or all; raises what embedding raises, and may be repeated for what is left.

    A document is found in the old index until it is whole in the new one.
    """
    tables, index = gateway.platform.tables, gateway.platform.index
    if index is None:
        raise Missing("This home has no index for documents: see `penstock doctor`.")
    about = await index.describe()
    model = about.model
    everything = everything or not about.entries  # its dimension may be new where its name is not
    done = Done(await documents.elsewhere_count(tables, model, everything=everything))
    after = ""
    while some := await documents.elsewhere(
        tables, model, everything=everything, after=after, most=PAGE
    ):
        for one in some:
            await _document(gateway, index, one, done, tell)
            if not await documents.moved(tables, one, model):
                # Deleted meanwhile, perhaps before its entries came here.
                await index.delete(one.owner, document=one.id)
            done.documents += 1
            tell(done)
        after = some[-1].id
    return done


async def _document(gateway: Gateway, index: Index, one: Document, done: Done, tell: Tell) -> None:
    first = 0
    while some := await documents.passages_of(gateway.platform.tables, one.id, first, BATCH):
        pairs = zip(some, await _embedded(gateway, some), strict=True)
        await index.upsert([entry(passage, one.owner, vector) for passage, vector in pairs])
        first += len(some)
        done.passages += len(some)
        tell(done)


async def _embedded(gateway: Gateway, some: Sequence[Passage]) -> Sequence[Vector | None]:
    if embedder(gateway.config).target is None:
        return [None] * len(some)
    while True:
        try:
            exchange = behind(gateway, OPERATOR, UPLOAD)
            return (await vectors(gateway, exchange, [told(one) for one in some])).vectors
        except RateLimited as error:
            wait = dict(error.headers).get("retry-after", "")
            await gateway.platform.clock.sleep(float(wait) if wait.isdecimal() else WAIT_SECONDS)
