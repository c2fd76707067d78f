"""A question's passages from the caller's own documents and those shared with their tenant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from penstock.config.embedder import embedder
from penstock.errors import BadRequest, Failed, NotFound, Unavailable
from penstock.gateway.documents import NO_STORE, is_id, owners
from penstock.gateway.exchange import Exchange
from penstock.gateway.vectors import Bought, vectors
from penstock.ports import Index
from penstock.rag import documents
from penstock.rag.confidence import NOTHING, Signals
from penstock.rag.documents import Found
from penstock.rag.passages import Passage
from penstock.rag.search import MOST_FOUND, Question, look
from penstock.wire.http import JSON, Response
from penstock.wire.json import decode_object, encode

if TYPE_CHECKING:
    from penstock.gateway import Gateway

TOP = 5
LONGEST_QUESTION = 4_000
MISSING = "Missing query"


class Source(Struct, frozen=True):
    """A passage that was found: a literal span of its document's text, in characters.

    `score` is from 0 to 1 and comparable within one search; `terms` is its BM25 and `cosine` its likeness, 0 where that
    did not find it. `titles` are the document's name and what the passage stands under.
    """

    document: str
    filename: str
    chunk: int
    score: float
    text: str
    start: int
    end: int
    titles: tuple[str, ...] = ()
    terms: float = 0.0
    cosine: float = 0.0


class Retrieved(Struct, frozen=True):
    """Best first. `signals` tell how likely it is that they answer the question.

    `version` moves with whatever may be found; it is read before the search, so that an answer kept under it is never
    newer than it says.
    """

    sources: tuple[Source, ...]
    version: str
    lexical_only: bool
    signals: Signals = NOTHING
    cost_nanos: int = 0


async def retrieve(
    gateway: Gateway, exchange: Exchange, question: str, k: int, document: str | None
) -> Retrieved:
    """At most `k` passages, of one document if it is named; raises NotFound where that is none of the caller's, Unavailable."""
    work = partial(_retrieve, gateway, exchange, question, k, document)
    return await (work() if exchange.trace is None else exchange.trace.retrieving(k, work))


async def _retrieve(
    gateway: Gateway, exchange: Exchange, question: str, k: int, document: str | None
) -> Retrieved:
    platform, mine = gateway.platform, owners(exchange.caller)
    index = platform.index
    if index is None:
        raise Unavailable(platform.no_index)
    at = await documents.versions(platform.tables, mine)
    version = ".".join(str(at.get(owner, 0)) for owner in mine)
    asked = tuple(owner for owner in mine if at.get(owner))
    if document is not None:
        found = await documents.find(platform.tables, mine, document) if is_id(document) else None
        if found is None:
            raise NotFound("There is no such document.", code="not_found")
        asked = tuple(owner for owner in asked if owner == found.owner)
    if not asked:
        return Retrieved((), version, embedder(gateway.config).target is None)
    bought = await _embedded(gateway, exchange, index, question)
    rows: dict[str, Found] = {}

    async def read(ids: Sequence[str]) -> Mapping[str, Passage]:
        rows.update(await documents.passages(platform.tables, mine, ids))
        return {id: row.passage for id, row in rows.items()}

    vector = bought.vectors[0] if bought is not None else None
    looked = await look(index, read, asked, Question(question, vector, k, document))
    sources = tuple(
        _source(rows[hit.passage.id], hit.score, hit.terms, hit.cosine) for hit in looked.hits
    )
    cost = bought.cost_nanos if bought is not None else 0
    return Retrieved(sources, version, bought is None, looked.signals, cost)


async def _embedded(
    gateway: Gateway, exchange: Exchange, index: Index, question: str
) -> Bought | None:
    """The question's vector, charged to who asks; None where words alone find, by configuration or since no target answers."""
    if embedder(gateway.config).target is None:
        return None
    try:
        return await vectors(gateway, exchange, [question])
    except (Failed, Unavailable):
        if exchange.spent or not (await index.describe()).lexical:
            raise
        return None


def _source(row: Found, score: float, terms: float, cosine: float) -> Source:
    one = row.passage
    return Source(
        one.document, row.filename, row.number, round(score, 6), one.text, row.start, row.end, one.titles, terms, cosine,
    )  # fmt: skip


def shown(source: Source) -> dict[str, Any]:
    """A source on the wire."""
    return {
        "documentId": source.document,
        "filename": source.filename,
        "chunk": source.chunk,
        "score": source.score,
        "text": source.text,
        "start": source.start,
        "end": source.end,
    }


async def search(gateway: Gateway, exchange: Exchange) -> Response:
    """`/api/rag/search`."""
    value, _ = decode_object(await exchange.read())
    query = text_of(value, "query", MISSING)
    k, document = scope_of(value)
    found = await retrieve(gateway, exchange, query, k, document)
    body = {
        "results": [shown(source) for source in found.sources],
        "lexicalOnly": found.lexical_only,
    }
    cost = ("x-penstock-cost-nanos", str(found.cost_nanos))
    return Response(200, [JSON, NO_STORE, cost], encode(body))


def text_of(value: dict[str, Any], name: str, missing: str) -> str:
    """The question of a body; raises BadRequest."""
    text = value.get(name)
    if not isinstance(text, str) or not text.strip():
        raise BadRequest(f"'{name}' must be a string that is not empty.", text=missing, param=name)
    if len(text) > LONGEST_QUESTION:
        raise BadRequest(
            f"'{name}' is longer than {LONGEST_QUESTION} characters.",
            code="invalid_field",
            param=name,
        )
    return text


def scope_of(value: dict[str, Any]) -> tuple[int, str | None]:
    """How many passages a body asks for, and of which document; raises BadRequest."""
    k, document = value.get("topK"), value.get("documentId")
    if k is None:
        k = TOP
    if type(k) is not int or not 1 <= k <= MOST_FOUND:
        raise BadRequest(
            f"'topK' is a whole number from 1 to {MOST_FOUND}.", code="invalid_field", param="topK"
        )
    if document is not None and not isinstance(document, str):
        raise BadRequest("'documentId' must be a string.", code="invalid_field", param="documentId")
    return k, document
