"""A question to documents: what answers it is looked for first, and only then a model is asked, by the path of every chat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import structs

from penstock.cache.exact import Entry, Key
from penstock.config.embedder import embedder
from penstock.errors import BadRequest, ModelNotFound, Unavailable
from penstock.gateway.answering import VERB, Answering, Asked, Found, replied, streamed
from penstock.gateway.chat import chat
from penstock.gateway.documents import owners
from penstock.gateway.exchange import Exchange
from penstock.gateway.faces import Told
from penstock.gateway.retrieval import Retrieved, Source, retrieve, scope_of
from penstock.ledger.decisions import Decision, row
from penstock.rag import documents, extract, prompt
from penstock.rag.citations import Cited
from penstock.rag.confidence import confidence
from penstock.routing.routes import Way
from penstock.wire import sse
from penstock.wire.chat import Ask, Usage, decode_chat, refuse_forbidden
from penstock.wire.http import JSON, Response
from penstock.wire.json import canonical, decode_object, encode

if TYPE_CHECKING:
    from penstock.gateway import Gateway

FORM = 1
"""Of what is kept: another number where a new version of this code may not use what an older one kept."""
EXTRACTIVE, NOBODY = "extractive", "none"
"""What the reply names as its model where none was asked."""
MISSING = "Missing required fields"
STAND_IN = "sandbox"

_decode = msgspec.msgpack.Decoder(Retrieved).decode
_encode = msgspec.msgpack.Encoder().encode


async def query(gateway: Gateway, exchange: Exchange) -> Response:
    """`/api/rag/query`: the answer with its sources; raises what a chat does, and NotFound for another's document."""
    body = exchange.request.body = await exchange.read()  # the chat reads it once more
    asked = read(body)
    name = model_of(gateway)
    way = _way(gateway, exchange, name)
    looking = Looking(gateway, exchange, asked, way)
    retrieved = await looking.retrieved()
    found = Found(retrieved, confidence(retrieved.signals))
    if not retrieved.sources or found.confidence < gateway.config.rag.threshold:
        none = Found(structs.replace(retrieved, sources=()), found.confidence)
        return looking.told(none, Cited(prompt.NOT_FOUND), NOBODY)
    if all(offer.at.kind == STAND_IN for offer in way.offers):
        found = structs.replace(found, given=len(retrieved.sources))
        return looking.told(found, extract.extract(asked.question, _pieces(retrieved)), EXTRACTIVE)
    ask, given = composed(gateway, asked, retrieved, way, name)
    face = Answering(asked, structs.replace(found, given=given), ask)
    return _charged(await chat(gateway, exchange, face), retrieved.cost_nanos)


def read(body: bytes) -> Asked:
    """Raises BadRequest."""
    value, _ = decode_object(body)
    refuse_forbidden(value)
    question, stream = value.get("question"), value.get("stream")
    if not isinstance(question, str):
        raise BadRequest(
            "'question' must be a text.", code="invalid_field", text=MISSING, param="question"
        )
    if stream is not None and not isinstance(stream, bool):
        raise BadRequest("'stream' is true or false.", code="invalid_field", param="stream")
    k, document = scope_of(value)
    return Asked(prompt.question_of(question), k, document, bool(stream))


def model_of(gateway: Gateway) -> str:
    """What answers: `rag.model`; on Workers, of what `auto` chooses from the medium target."""
    name = gateway.config.rag.model
    route = gateway.config.routes.get(name)
    if name == "auto" and not gateway.platform.shared_loop and route and route.medium:
        return route.medium
    return name


def _way(gateway: Gateway, exchange: Exchange, name: str) -> Way:
    try:
        return gateway.names.named(name, "chat", exchange.caller)
    except ModelNotFound as error:
        raise Unavailable(
            "`rag.model` names nothing that answers: name a route or a target."
        ) from error


def composed(
    gateway: Gateway, asked: Asked, retrieved: Retrieved, way: Way, name: str
) -> tuple[Ask, int]:
    """The ask, and how many of the sources it shows."""
    rag = gateway.config.rag
    context = min(offer.target.context for offer in way.offers) - rag.max_answer_tokens
    room = context - prompt.tokens(prompt.INSTRUCTIONS + asked.question)
    pieces = [prompt.Piece(_named(one), one.text) for one in retrieved.sources]
    most = min(rag.max_context_tokens, room)
    made = prompt.prompt(gateway.platform.secret, asked.question, pieces, most)
    messages = [
        {"role": "system", "content": made.system},
        {"role": "user", "content": made.user},
    ]
    body = {"model": name, "messages": messages, "max_tokens": rag.max_answer_tokens}
    ask = decode_chat(encode(body | ({"stream": True} if asked.stream else {})))
    # Which model is good for it the question tells, and not how long the passages are.
    ask.text, ask.turns = asked.question, 1
    # The same passages may be found for another question, and in documents that are others by now.
    ask.canonical += b"\n" + asked_form(gateway, asked, retrieved.version)
    return ask, len(made.shown)


def asked_form(gateway: Gateway, asked: Asked, version: str) -> bytes:
    """All that what is found for a question depends on, the question to the letter."""
    form: dict[str, Any] = {
        "form": FORM,
        "question": asked.question,
        "topK": asked.k,
        "documentId": asked.document,
        "version": version,
        "embedding": gateway.config.rag.embedding,
    }
    return canonical(form)


class Looking:
    """The search for one question: found under the caller's cache first, before anything is bought for it."""

    def __init__(self, gateway: Gateway, exchange: Exchange, asked: Asked, way: Way) -> None:
        self._gateway = gateway
        self._exchange = exchange
        self._asked = asked
        self._way = way
        self._cache = "bypass"

    async def retrieved(self) -> Retrieved:
        """What was found now, or an hour ago if nothing has changed since."""
        key = await self._key()
        if key is not None and "no-cache" not in self._exchange.cache_control:
            kept = await self._kept(key)
            self._cache = "miss" if kept is None else "hit"
            if kept is not None:
                return kept
        # It has rows of its own in the ledger: the answer is another call.
        apart = structs.replace(
            self._exchange, id=self._gateway.platform.ids.new("req_"), holds=(), also=(), room=0
        )
        asked = self._asked
        found = await retrieve(self._gateway, apart, asked.question, asked.k, asked.document)
        if key is not None and self._keepable(found):
            entry = Entry(key.request, _encode(found), "", "", "", Usage())
            await self._gateway.exact.keep(key, entry, self._way.settings.cache.ttl)
        return found

    def told(self, found: Found, answer: Cited, model: str) -> Response:
        """A reply that no model was asked for: it costs what the question's embedding did."""
        exchange, hit = self._exchange, self._cache == "hit"
        cost = found.retrieved.cost_nanos
        reply = replied(found, answer, Told(model=model, cached=hit))
        if model == EXTRACTIVE:
            reply[EXTRACTIVE] = True
        self._record(found, model)
        exchange.notes.update(route=self._way.name, target=model, cache=self._cache)
        headers = [("x-penstock-target", model), ("x-penstock-cache", self._cache)]
        if self._asked.stream:
            return Response(200, [*sse.HEADERS, *headers], streamed(found, answer, reply))
        took = self._gateway.platform.clock.tick() - exchange.started
        headers.append(("x-penstock-cost-nanos", str(cost)))
        headers.append(("x-penstock-overhead-us", str(int(took * 1e6))))
        return Response(200, [JSON, *headers], encode(reply))

    async def _key(self) -> Key | None:
        """By the question to the letter, whose it is, and the version of what they may find; None where nothing may be kept."""
        gateway, exchange = self._gateway, self._exchange
        if not self._way.settings.cache.enabled or "no-store" in exchange.cache_control:
            return None
        mine = owners(exchange.caller)
        at = await documents.versions(gateway.platform.tables, mine)
        self._version = ".".join(str(at.get(owner, 0)) for owner in mine)
        request = asked_form(gateway, self._asked, self._version)
        owner, way = exchange.caller.owner, self._way.name
        # Never shared: another may have other documents.
        return await gateway.exact.key(VERB, f"found:{owner}", owner, way, way, request)

    async def _kept(self, key: Key) -> Retrieved | None:
        entry = await self._gateway.exact.find(key)
        if entry is None:
            return None
        try:
            return structs.replace(_decode(entry.data), cost_nanos=0)
        except msgspec.DecodeError:
            return None

    def _keepable(self, found: Retrieved) -> bool:
        """Not what was found while the embedding model was away, nor what changed meanwhile."""
        fallen_back = found.lexical_only and embedder(self._gateway.config).target is not None
        return found.version == self._version and not fallen_back

    def _record(self, found: Found, model: str) -> None:
        gateway, exchange, way = self._gateway, self._exchange, self._way
        if self._cache != "bypass":
            hit, now = self._cache == "hit", int(gateway.platform.clock.now() * 1000)
            gateway.counters.cache(VERB, hit=hit)
            gateway.journal.count(now, VERB, hit=hit)
        caller = exchange.caller
        decision = Decision(exchange.id, VERB, caller.hash, caller.tier, self._asked_name, way.name)
        decision.policy = decision.reason = model
        decision.features = {
            "confidence": round(found.confidence, 4),
            "sources": len(found.sources),
        }
        decision.cache, decision.status, decision.target = self._cache, 200, model
        clock = gateway.platform.clock
        decision.total_us = int((clock.tick() - exchange.started) * 1e6)
        gateway.journal.add(row(decision, int(clock.now() * 1000), caller.owner))

    @property
    def _asked_name(self) -> str:
        return self._gateway.config.rag.model


def _pieces(retrieved: Retrieved) -> list[extract.Piece]:
    return [extract.Piece(one.text, one.start, " > ".join(one.titles)) for one in retrieved.sources]


def _named(source: Source) -> str:
    return " > ".join(dict.fromkeys((source.filename, *source.titles)))


def _charged(response: Response, more: int) -> Response:
    """What finding cost is part of what the request did."""
    if more:
        response.headers = [
            (name, str(int(value) + more) if name == "x-penstock-cost-nanos" else value)
            for name, value in response.headers
        ]
    return response
