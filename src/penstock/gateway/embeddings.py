"""Embeddings: each distinct text from the cache, from who buys it already, or from a call for all that are missing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from msgspec import structs

from penstock.auth.caller import Caller
from penstock.cache.exact import Entry, Key
from penstock.cache.purchases import Purchase
from penstock.config import Tier
from penstock.errors import Error, Failed, Unavailable, again
from penstock.gateway.exchange import Exchange
from penstock.gateway.limiting import account
from penstock.ledger import book
from penstock.ledger.decisions import Decision, row
from penstock.prices import amount_nanos
from penstock.routing.offers import Offer, by_own_keys
from penstock.routing.policies import embedding
from penstock.routing.routes import Way
from penstock.upstream.embed import Batch, Embedding, send
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
    return Response(200, headers, face.write(ask, items, work.offer))


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
        self.deployment = ""
        self._calls = 0
        self._began = self._looked = gateway.platform.clock.tick()
        self._patience = way.settings.timeouts.first_byte
        self._times = Counter(ask.texts) if len(ask.texts) > 1 else {ask.texts[0]: 1}
        self._distinct = len(self._times) == len(ask.texts)
        self._keys: dict[str, Key] = {}
        self._found: dict[str, Embedded] = {}
        self._wanted: list[str] = []
        self._begun: dict[str, Purchase] = {}
        self._awaited: dict[str, Purchase] = {}

    async def items(self) -> list[Embedded]:
        """Every text's vector, in order; each distinct one is looked for, and bought, once."""
        self._keys = await self._named()
        if self._keys and "no-cache" not in self.exchange.cache_control:
            self.cache = "miss"
        missing = list(self._times)
        while missing:
            try:
                await self._look(missing)
                if self._wanted:
                    await self._buy()
            finally:
                self._end()
            if self._awaited:
                await self._wait()
            missing = [text for text in missing if text not in self._found]
        if self.cache == "miss" and not self._calls:
            self.cache = "hit"
        return self._in_order()

    async def _offers(self) -> list[Offer]:
        """The targets of the first one's model, since another model's vectors would not compare with these, that can
        express all fields; raises BadRequest where none can."""
        model = self.offer.target.model
        same = [offer for offer in self.way.offers if offer.target.model == model]
        able = embedding(self.ask.fields, same)
        limits, caller = self.gateway.limits, self.exchange.caller
        keys = await self.gateway.tenant_keys.of(caller, self.gateway.platform)
        return list(by_own_keys(limits.payable(caller, self.way.name, able, keys), keys))

    async def _named(self) -> dict[str, Key]:
        """One key a text, of the text and all that can change its vector; none where nothing may be kept."""
        if not self.way.settings.cache.enabled or "no-store" in self.exchange.cache_control:
            return {}
        owner = self.exchange.caller.owner
        name = self.way.name
        partition = f"shared:{name}" if self.way.settings.cache.shared else f"owner:{owner}"
        exact, model = self.gateway.exact, self.offer.name
        requests = zip(self.ask.texts, self.ask.requests(), strict=True)
        return {
            text: await exact.key(KIND, partition, owner, model, name, request)
            for text, request in (requests if self._distinct else dict(requests).items())
        }

    async def _look(self, missing: Sequence[str]) -> None:
        """Finds each text's vector, or who buys it already; else it is for this request to buy."""
        if self.cache == "bypass":
            self._wanted.extend(missing)
            return
        keys, find = self._keys, self.gateway.exact.find
        for text in missing:
            entry = await find(keys[text])
            if entry is None:
                # Nothing is awaited in between: of all who find nothing kept, one buys.
                self._await_or_want(text)
            else:
                self._found[text] = Embedded(entry.data, entry.usage.total, 0, True)
        self._count([text for text in missing if text in self._found], hit=True)
        self._count(self._wanted, hit=False)

    def _await_or_want(self, text: str) -> None:
        name, purchases = self._keys[text].name, self.gateway.purchases
        bought = purchases.find(name) if self._patience > 0 else None
        if bought is not None:
            self._awaited[text] = bought
            return
        self._wanted.append(text)
        if self.gateway.platform.shared_loop:
            self._begun[text] = purchases.begin(name)

    async def _buy(self) -> None:
        """Buys what is wanted, in as many calls as the targets' batches make it."""
        self._looked = self.gateway.platform.clock.tick()
        offers = await self._offers()
        size = min(offer.at.batch for offer in offers)
        for start in range(0, len(self._wanted), size):
            texts = self._wanted[start : start + size]
            try:
                await self._call(texts, offers)
            except (Failed, Unavailable) as error:
                if not offers[0].own:  # what comes of a tenant's own key is no other's affair
                    self._fail(texts, error)
                raise

    def _fail(self, texts: Sequence[str], error: Error) -> None:
        """Tells who waits that the target failed; a refusal only where it surely is of their text."""
        if error.status == 400 and len(texts) > 1:
            return
        for text in texts:
            if text in self._begun:
                self._begun[text].set_result(error)

    def _end(self) -> None:
        for text, purchase in self._begun.items():
            self.gateway.purchases.end(self._keys[text].name, purchase)
        self._begun.clear()
        self._wanted.clear()

    async def _wait(self) -> None:
        """Waits for what others buy, in all as long as for a first byte; what came to nothing is sought again."""
        awaited, self._awaited = self._awaited, {}
        clock = self.gateway.platform.clock
        start = clock.tick()
        with suppress(TimeoutError):
            async with clock.timeout(self._patience):
                await asyncio.wait(awaited.values())
        spent = clock.tick() - start
        self._patience -= spent
        self.waited += spent
        came = {text: one.result() for text, one in awaited.items() if one.done()}
        for text, item in came.items():
            if isinstance(item, Error):
                raise again(item)
            if item is not None:
                self._found[text] = item
        self._count([text for text in awaited if text in self._found], hit=True)

    def _in_order(self) -> list[Embedded]:
        if self._distinct:
            return [self._found[text] for text in self.ask.texts]
        places = {
            text: iter(wire.at_each(self._found[text], times))
            for text, times in self._times.items()
        }
        return [next(places[text]) for text in self.ask.texts]

    async def _call(self, texts: list[str], offers: Sequence[Offer]) -> None:
        """Buys the vectors of one call, under a hold of its own."""
        gateway, exchange, settings = self.gateway, self.exchange, self.way.settings
        whose = account(exchange, self.way.name, "embeddings")
        if self._calls:
            whose = book.part(whose, self._calls)
        self._calls += 1
        most = Usage(input=self.ask.bound(texts), estimated=True)
        # Embeddings have one price for all input.
        reserve = max(amount_nanos(offer.price, most) for offer in offers)
        hold = await gateway.limits.open(
            exchange, whose, offers, most.total, reserve, settings.timeouts.total, most
        )
        answer: Embedding | None = None
        try:
            batch = Batch(texts, self.ask.fields)
            answer = await send(gateway.upstream, batch, offers, hold, most, settings)
            try:
                await hold.settle(answer.usage)
            finally:
                if hold.done:
                    # Paid for, although its buyer may have left meanwhile: others wait for it, or ask for it next.
                    await self._bought(texts, answer, hold.amount)
        finally:
            if exchange.trace is not None:
                exchange.trace.embedded(hold, answer.usage if answer is not None else None)
            await hold.close()

    async def _bought(self, texts: Sequence[str], answer: Embedding, amount: int) -> None:
        """Hands out what was paid for, and keeps it at once, whatever becomes of the next call."""
        self.offer, self.attempts = answer.offer, self.attempts + answer.turn.number
        self.waited += answer.waited
        self.deployment = answer.turn.deployment
        self.cost += amount
        tokens, costs = wire.split(answer.usage.total, texts), wire.split(amount, texts)
        bought = [
            Embedded(vector, tokens[i], costs[i])
            for i, vector in enumerate(_packed(answer.vectors.values))
        ]
        for text, item in zip(texts, bought, strict=True):
            self._found[text] = item
            if text in self._begun:
                found = structs.replace(item, cost_nanos=0, cached=True)
                self._begun[text].set_result(found)
        await self._keep(texts, bought)

    async def _keep(self, texts: Sequence[str], bought: Sequence[Embedded]) -> None:
        if not self._keys:
            return
        name, target = self.offer.name, self.offer.target
        for text, item in zip(texts, bought, strict=True):
            key, data, usage = self._keys[text], wire.pack(item.vector), Usage(input=item.tokens)
            entry = Entry(key.request, data, name, target.provider, target.model, usage)
            await self.gateway.exact.keep(key, entry, self.way.settings.cache.ttl)

    def _count(self, texts: Sequence[str], *, hit: bool) -> None:
        """Counts the places of some texts as found or not."""
        if self.cache == "bypass" or not texts:
            return
        now = int(self.gateway.platform.clock.now() * 1000)
        number = len(texts) if self._distinct else sum([self._times[text] for text in texts])
        self.gateway.counters.cache(KIND, hit=hit, number=number)
        self.gateway.journal.count(now, KIND, hit=hit, number=number)

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
        decision.deployment = self.deployment
        if (trace := self.exchange.trace) is not None:
            decision.trace = trace.id
            trace.named(self.way)
            trace.vectors(self.cache, self._began, self._looked, self.cost)
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
