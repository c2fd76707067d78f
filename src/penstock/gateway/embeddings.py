"""Embeddings: each text from the cache or from one call for all that are missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from penstock.auth.caller import Caller
from penstock.cache.exact import Entry, Key
from penstock.config import Tier
from penstock.errors import Error, Failed
from penstock.gateway.exchange import Exchange
from penstock.gateway.limiting import account
from penstock.ledger import book, days
from penstock.ledger.decisions import Decision, row
from penstock.prices import amount_nanos
from penstock.routing.offers import Offer
from penstock.routing.routes import Way
from penstock.upstream.embed import Batch, send
from penstock.wire import embeddings as wire
from penstock.wire.chat import Usage
from penstock.wire.embeddings import EmbedAsk, Embedded
from penstock.wire.http import JSON, Response

if TYPE_CHECKING:
    from penstock.gateway import Gateway

KIND = "embed"
OPENAI_BATCH = 2_048


class Face(Protocol):
    """How an embeddings request is read and its vectors are written."""

    def decode(self, body: bytes, tier: Tier) -> EmbedAsk: ...
    def write(self, ask: EmbedAsk, items: Sequence[Embedded], offer: Offer) -> bytes: ...


class OpenAI:
    """`/v1/embeddings`."""

    def decode(self, body: bytes, tier: Tier) -> EmbedAsk:
        return wire.decode_embeddings(body, OPENAI_BATCH)

    def write(self, ask: EmbedAsk, items: Sequence[Embedded], offer: Offer) -> bytes:
        vectors = [item.vector for item in items]
        return wire.openai_reply(
            offer.target.model, vectors, sum(item.tokens for item in items), ask.base64
        )


class Product:
    """`/api/ai/embeddings`, whose batch is the tier's."""

    def decode(self, body: bytes, tier: Tier) -> EmbedAsk:
        return wire.decode_product(body, tier.embedding_batch)

    def write(self, ask: EmbedAsk, items: Sequence[Embedded], offer: Offer) -> bytes:
        return wire.product_reply(ask.single, items, offer.vendor, offer.target.model)


async def embeddings(gateway: Gateway, exchange: Exchange, face: Face) -> Response:
    """Decodes, finds what is kept, buys what is missing, keeps it, answers in order."""
    caller = exchange.caller
    ask = face.decode(await exchange.read(), gateway.limits.rates.tier(caller))
    way = gateway.names.named(ask.model, "embed", caller)
    work = Work(gateway, exchange, ask, way)
    try:
        items = await work.items()
    except BaseException as error:
        work.record(error)
        raise
    work.record(None)
    clock = gateway.platform.clock
    overhead = clock.tick() - exchange.started - work.waited
    headers = [
        JSON,
        ("x-penstock-target", work.offer.name),
        ("x-penstock-cache", work.cache),
        ("x-penstock-cost-nanos", str(work.cost)),
        ("x-penstock-overhead-us", str(int(overhead * 1e6))),
    ]
    exchange.notes.update(route=way.name, target=work.offer.name, cache=work.cache)
    return Response(200, headers, face.write(ask, items, work.offer), exchange.notes)


class Work:
    """One embeddings request: its kept vectors, its purchases, its decision record."""

    def __init__(self, gateway: Gateway, exchange: Exchange, ask: EmbedAsk, way: Way) -> None:
        self.gateway = gateway
        self.exchange = exchange
        self.ask = ask
        self.way = way
        self.offer = way.offers[0]
        self.cache = "bypass"
        self.cost = 0
        self.waited = 0.0
        self.attempts = 0

    async def items(self) -> list[Embedded]:
        """Every text's vector, in order."""
        keys = await self._keys()
        found = await self._find(keys)
        missing = [i for i, item in enumerate(found) if item is None]
        self._count(len(found) - len(missing), len(missing))
        offers = self._offers()
        size = min(offer.at.max_batch for offer in offers)
        for number, start in enumerate(range(0, len(missing), size)):
            places = missing[start : start + size]
            bought = await self._call([self.ask.texts[i] for i in places], offers, number)
            for i, item in zip(places, bought, strict=True):
                found[i] = item
            # At once: what was paid for stays, whatever becomes of the next call.
            await self._keep(keys, places, bought)
        return [item for item in found if item is not None]

    def _offers(self) -> list[Offer]:
        """The targets of the first one's model: another model's vectors would not compare with these."""
        model = self.offer.target.model
        return [offer for offer in self.way.offers if offer.target.model == model]

    async def _keys(self) -> list[Key]:
        """One key a text, of the text and all that can change its vector; none where nothing may be kept."""
        if not self.way.settings.cache.enabled or "no-store" in self.exchange.cache_control:
            return []
        owner = self.exchange.caller.owner
        name = self.way.name
        partition = f"shared:{name}" if self.way.settings.cache.shared else f"owner:{owner}"
        exact, model = self.gateway.exact, self.offer.name
        return [
            await exact.key(KIND, partition, owner, model, name, text)
            for text in self.ask.requests()
        ]

    async def _find(self, keys: Sequence[Key]) -> list[Embedded | None]:
        if not keys or "no-cache" in self.exchange.cache_control:
            return [None] * len(self.ask.texts)
        self.cache = "miss"
        entries = [await self.gateway.exact.find(key) for key in keys]
        return [
            None if entry is None else Embedded(entry.data, entry.usage.total, 0, True)
            for entry in entries
        ]

    async def _call(self, texts: list[str], offers: Sequence[Offer], number: int) -> list[Embedded]:
        """The vectors of one call, under a hold of its own."""
        gateway, exchange, settings = self.gateway, self.exchange, self.way.settings
        whose = account(exchange, self.way.name, "embeddings")
        if number:
            whose = book.part(whose, number)
        most = Usage(input=wire.bound(texts), estimated=True)
        # Embeddings have one price for all input.
        reserve = max(amount_nanos(offer.price, most) for offer in offers)
        hold = await gateway.limits.open(
            exchange, whose, offers, most.total, reserve, settings.timeouts.total
        )
        try:
            batch = Batch(texts, self.ask.dimensions)
            answer = await send(gateway.upstream, batch, offers, hold, most, settings)
            amount = await hold.settle(answer.usage)
        finally:
            await hold.close()
        self.offer, self.attempts = answer.offer, self.attempts + answer.attempt
        self.waited += answer.waited
        self.cost += amount
        tokens, costs = wire.split(answer.usage.total, texts), wire.split(amount, texts)
        return [
            Embedded(vector, tokens[i], costs[i])
            for i, vector in enumerate(_packed(answer.vectors.values))
        ]

    async def _keep(
        self, keys: Sequence[Key], missing: Sequence[int], bought: Sequence[Embedded]
    ) -> None:
        if not keys:
            return
        name, target = self.offer.name, self.offer.target
        for i, item in zip(missing, bought, strict=True):
            data, usage = wire.pack(item.vector), Usage(input=item.tokens)
            entry = Entry(keys[i].request, data, name, target.provider, target.model, usage)
            await self.gateway.exact.keep(keys[i], entry, self.way.settings.cache.ttl)

    def _count(self, hits: int, misses: int) -> None:
        if self.cache == "bypass":
            return
        if not misses:
            self.cache = "hit"
        today = days.day(int(self.gateway.platform.clock.now() * 1000))
        for number, hit in ((hits, True), (misses, False)):
            if number:
                self.gateway.journal.count(today, KIND, hit=hit, number=number)

    def record(self, error: BaseException | None) -> None:
        """The decision record, and the usage row of a request that the cache served whole."""
        caller: Caller = self.exchange.caller
        platform = self.gateway.platform
        now = int(platform.clock.now() * 1000)
        decision = Decision(
            self.exchange.id, "embeddings", caller.hash, caller.tier, self.ask.model, self.way.name,
            self.way.policy.name, self.way.name, "as configured", {"texts": len(self.ask.texts)},
            tuple(offer.name for offer in self.way.offers), self.cache, "", self.offer.name, self.attempts,
            self.offer.frozen, 0, self.cost, 200,
        )  # fmt: skip
        decision.total_us = int((platform.clock.tick() - self.exchange.started) * 1e6)
        decision.upstream_us = int(self.waited * 1e6)
        if error is not None:
            decision.error = error.code if isinstance(error, Error) else "cancelled"
            decision.status = error.status if isinstance(error, Error) else 499
        elif self.cache == "hit":
            target = self.offer.target
            what = book.Charged(target.provider, target.model, self.offer.name)
            whose = account(self.exchange, self.way.name, "embeddings")
            self.gateway.journal.add(book.final(whose, 0, "settled", now, what, Usage(), 0, "hit"))
        self.gateway.journal.add(row(decision, now, caller.owner))


def _packed(vectors: Sequence[Sequence[float]]) -> list[bytes]:
    try:
        return [wire.pack(vector) for vector in vectors]
    except OverflowError as error:
        raise Failed(
            "The target sent numbers that float32 cannot hold.",
            code="upstream_unreadable",
            processed="yes",
        ) from error


OPENAI = OpenAI()
PRODUCT = Product()
