"""Embeddings of documents and questions: held, charged and kept as any caller's are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from penstock.auth.caller import Caller
from penstock.config.embedder import embedder
from penstock.gateway.embeddings import Work
from penstock.gateway.exchange import Exchange
from penstock.ports import Vector
from penstock.wire import embeddings as wire
from penstock.wire.embeddings import EmbedAsk
from penstock.wire.http import Request
from penstock.wire.json import canonical

if TYPE_CHECKING:
    from penstock.gateway import Gateway
    from penstock.gateway.routes import Endpoint


class Bought(Struct, frozen=True):
    """One vector for each text, what they cost in nano-dollars, and whether the cache had them."""

    vectors: list[Vector]
    cost_nanos: int
    cache: str


async def vectors(gateway: Gateway, exchange: Exchange, texts: Sequence[str]) -> Bought:
    """Found or bought for the exchange's caller; raises what an embeddings request does."""
    target = embedder(gateway.config).target
    assert target is not None  # whoever asks has looked
    model = gateway.config.rag.embedding
    way = gateway.names.named(model, "embed", exchange.caller)
    ask = EmbedAsk(model, list(texts), {}, canonical({}))
    work = Work(gateway, exchange, ask, way)
    try:
        items = await work.items()
    except BaseException as error:
        work.record(error)
        raise
    work.record(None)
    exchange.notes.update(route=way.name, target=work.offer.name, cache=work.cache)
    values = [
        wire.unpack(item.vector) if isinstance(item.vector, bytes) else item.vector
        for item in items
    ]
    return Bought([Vector(target.model, one) for one in values], work.cost, work.cache)


def behind(gateway: Gateway, caller: Caller, endpoint: Endpoint) -> Exchange:
    """What is done for a caller after their request, as a request of its own: with an id in the ledger, and no body or headers."""
    platform = gateway.platform
    return Exchange(
        platform.ids.new("req_"), Request("POST", b""), endpoint, platform.clock.tick(), 0, caller,
        gateway.lasting.bodies,
    )  # fmt: skip
