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
from penstock.upstream.tour import Turn
from penstock.wire.chat import Usage
from penstock.wire.http import collect

MAX_REPLY = 256 << 20


class Batch(Struct, frozen=True):
    """Texts of one call, and the fields that go with them."""

    texts: list[str]
    fields: Mapping[str, Any]


class Embedding(Struct, frozen=True):
    """What one call brought."""

    offer: Offer
    turn: Turn
    vectors: Vectors
    usage: Usage
    waited: float


async def send(
    upstream: Upstream, batch: Batch, offers: Sequence[Offer], hold: Hold, most: Usage, route: Route
) -> Embedding:
    """The vectors of a batch; raises Failed, Unavailable."""

    async def attempt(turn: Turn) -> Embedding:
        found = await _call(upstream, batch, turn, hold, most, route)
        await turn.end(used=found.usage.total)
        return found

    def need(offer: Offer) -> int:
        return most.total

    return await upstream.tries(offers, hold, route.attempts, attempt, need)


async def _call(
    upstream: Upstream, batch: Batch, turn: Turn, hold: Hold, most: Usage, route: Route
) -> Embedding:
    start = upstream.clock.tick()
    if turn.at.kind == "local":
        vectors, usage = await _local(upstream, batch, turn, hold, most)
    else:
        vectors, usage = await _remote(upstream, batch, turn, hold, most, route)
    if len(vectors.values) != len(batch.texts):
        raise Failed("The target sent another number of vectors than of texts.", processed="yes")
    return Embedding(turn.offer, turn, vectors, usage, upstream.clock.tick() - start)


async def _local(
    upstream: Upstream, batch: Batch, turn: Turn, hold: Hold, most: Usage
) -> tuple[Vectors, Usage]:
    if upstream.runner is None:
        raise Unavailable("The local embedding model is not loaded: install the 'local' extra.")
    await hold.dispatch(turn.number, turn.offer, most)
    vectors = await upstream.runner.embed(batch.texts)
    return vectors, Usage(input=vectors.tokens)


async def _remote(
    upstream: Upstream, batch: Batch, turn: Turn, hold: Hold, most: Usage, route: Route
) -> tuple[Vectors, Usage]:
    offer, at = turn.offer, turn.at
    speak = offer.embed
    assert speak is not None  # routing.policies.embedding leaves no other here
    request = speak.embed(batch.texts, offer.target, at, batch.fields)
    request.headers = [*request.headers, *speak.key_headers(at), *marks(hold, turn)]
    request.timeouts = bounds(route.timeouts)
    request.max_reply = MAX_REPLY
    await hold.dispatch(turn.number, offer, most)
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
