"""Embeddings calls: one batch of texts to the first target that takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from penstock.config import Route
from penstock.errors import Failed, Unavailable
from penstock.limits.hold import Hold
from penstock.ports import Vectors
from penstock.routing.offers import Offer
from penstock.upstream.send import Upstream, bounds, error_body, marks
from penstock.wire.chat import Usage
from penstock.wire.http import Headers, collect

MAX_REPLY = 256 << 20


class Batch(Struct, frozen=True):
    """Texts of one call, and the fields that go with them."""

    texts: list[str]
    fields: Mapping[str, Any]


class Embedding(Struct, frozen=True):
    """What one call brought."""

    offer: Offer
    attempt: int
    vectors: Vectors
    usage: Usage
    waited: float


async def send(
    upstream: Upstream, batch: Batch, offers: Sequence[Offer], hold: Hold, most: Usage, route: Route
) -> Embedding:
    """The vectors of a batch; raises Failed, Unavailable."""

    async def attempt(offer: Offer, number: int) -> Embedding:
        named = marks(hold, offers, offer, number)
        return await _call(upstream, batch, offer, number, hold, named, most, route)

    return await upstream.tries(offers, hold, route.attempts, attempt)


async def _call(
    upstream: Upstream,
    batch: Batch,
    offer: Offer,
    number: int,
    hold: Hold,
    named: Headers,
    most: Usage,
    route: Route,
) -> Embedding:
    start = upstream.clock.tick()
    if offer.at.kind == "local":
        vectors, usage = await _local(upstream, batch, offer, number, hold, most)
    else:
        vectors, usage = await _remote(upstream, batch, offer, number, hold, named, most, route)
    if len(vectors.values) != len(batch.texts):
        raise Failed("The target sent another number of vectors than of texts.", processed="yes")
    return Embedding(offer, number, vectors, usage, upstream.clock.tick() - start)


async def _local(
    upstream: Upstream, batch: Batch, offer: Offer, number: int, hold: Hold, most: Usage
) -> tuple[Vectors, Usage]:
    if upstream.runner is None:
        raise Unavailable("The local embedding model is not loaded: install the 'local' extra.")
    await hold.dispatch(number, offer, most)
    vectors = await upstream.runner.embed(batch.texts)
    return vectors, Usage(input=vectors.tokens)


async def _remote(
    upstream: Upstream,
    batch: Batch,
    offer: Offer,
    number: int,
    hold: Hold,
    named: Headers,
    most: Usage,
    route: Route,
) -> tuple[Vectors, Usage]:
    speak = offer.embed
    assert speak is not None  # routing.policies.embedding leaves no other here
    request = speak.embed(batch.texts, offer.target, offer.at, batch.fields)
    request.headers = [*request.headers, *speak.key_headers(offer.at), *named]
    request.timeouts = bounds(route.timeouts)
    request.max_reply = MAX_REPLY
    await hold.dispatch(number, offer, most)
    response = await upstream.fetch(
        offer, request, hold.account.request_id, int(upstream.clock.now())
    )
    try:
        if not 200 <= response.status < 300:
            raise speak.failure(response.status, response.headers, await error_body(response))
        data = (
            response.body
            if isinstance(response.body, bytes)
            else await collect(response.body, MAX_REPLY)
        )
    finally:
        await response.aclose()
    return speak.vectors(data, offer.target, batch.texts)
