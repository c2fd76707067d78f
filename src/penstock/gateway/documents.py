"""Documents as callers see them: uploaded, listed, watched, deleted. Whose they are is in every statement."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from msgspec import structs

from penstock.auth import scopes
from penstock.auth.caller import Caller, owner_of, require
from penstock.config import Tier
from penstock.errors import (
    BadRequest,
    Conflict,
    Error,
    Failed,
    Forbidden,
    NotFound,
    OutOfBudget,
    Overloaded,
    Repeated,
    Unavailable,
    Unreadable,
)
from penstock.gateway import originals, uploads
from penstock.gateway.exchange import Exchange
from penstock.gateway.uploads import Upload
from penstock.gateway.watching import Watching, shown
from penstock.ports import MOST_ID_BYTES
from penstock.rag import documents
from penstock.rag.documents import LEASE_MS, Document, Owners
from penstock.wire import sse
from penstock.wire.http import JSON, Response
from penstock.wire.json import encode

if TYPE_CHECKING:
    from penstock.gateway import Gateway

PREFIX = "/api/rag/documents/"
WAIT_SECONDS = 10.0
LOOK_SECONDS = 1.0
"""Between two looks at a document that may be another process's to work on."""
PAGE, MOST_PAGE = 100, 1_000
NO_STORE = ("cache-control", "no-store")


def owners(caller: Caller) -> Owners:
    """Whose documents a caller finds: their own, and what was shared with their tenant, which nobody's own can be."""
    return caller.owner, owner_of(caller.tenant, "")


async def upload(gateway: Gateway, exchange: Exchange) -> Response:
    """Takes a document in, and waits a while for it to be ready; the same one again is not worked on again."""
    if gateway.platform.index is None or gateway.platform.parse is None:
        raise Unavailable(gateway.platform.no_index)
    tier = gateway.limits.rates.tier(exchange.caller)
    brought = await uploads.read(exchange, tier)
    if brought.shared:
        require(exchange.caller, scopes.RAG_SHARE)
    document, new = await _taken(gateway, exchange.caller, brought, tier)
    exchange.notes["document"] = document.id
    if not document.over:
        document = await _waited(gateway, document)
    if document.state == "deleted":
        raise NotFound(code="not_found")
    if document.state == "failed":
        raise failure(document)
    ended = document.state == "ready"
    body = {
        "documentId": document.id,
        "filename": document.filename,
        "chunks": document.chunks if ended else 0,
        "status": document.state,
    }
    status = (201 if new else 200) if ended else 202
    place = ("location", f"{PREFIX}{document.id}")
    return Response(status, [JSON, NO_STORE, place], encode(body))


async def _taken(
    gateway: Gateway, caller: Caller, brought: Upload, tier: Tier
) -> tuple[Document, bool]:
    """The document's row, and whether there was none that came to anything; its bytes are kept, and work on it begins."""
    tables = gateway.platform.tables
    made = _made(gateway, caller, brought)
    known = await documents.same(tables, made.owner, made.hash)
    if known is not None and known.state != "failed":
        return known, False
    if (
        await documents.waiting(tables, gateway.config.rag.max_waiting)
        >= gateway.config.rag.max_waiting
    ):
        raise Overloaded(
            "Too many documents wait to be read: send it again later.",
            headers=(("retry-after", "30"),),
        )
    try:
        await documents.add(tables, made, tier.documents)
    except Conflict as conflict:
        if conflict.name == documents.QUOTA:
            raise _full(made, tier) from conflict
        if conflict.name != documents.CONTENT:
            raise
        known = await documents.same(tables, made.owner, made.hash)
        if known is None:
            raise Repeated(
                "This document was deleted meanwhile: send it again.", code="document_gone"
            ) from conflict
        return known, False
    await _kept(gateway, made, brought.data)
    gateway.lasting.ingests.wake(gateway, made.id)
    return made, True


def _full(made: Document, tier: Tier) -> Forbidden:
    whose = "Your tenant has" if made.shared else "You have"
    return Forbidden(
        f"{whose} {tier.documents} documents, as many as your tier takes: delete one first.",
        code="document_quota",
        text="Document quota exceeded",
    )


def _made(gateway: Gateway, caller: Caller, brought: Upload) -> Document:
    now = int(gateway.platform.clock.now() * 1000)
    mine, tenants = owners(caller)
    return Document(
        id=gateway.platform.ids.new("doc_"), owner=tenants if brought.shared else mine,
        hash=sha256(brought.data).hexdigest(), filename=brought.filename, declared=brought.declared, kind="", title="",
        bytes=len(brought.data), shared=int(brought.shared), state="queued", reason="", message="", model="", chunks=0, done=0,
        tenant=caller.tenant, sub=caller.sub, tier=caller.tier, key_id=caller.key_id, at=now, changed_at=now,
        holder=gateway.platform.ids.new("upl_"), lease_until=now + LEASE_MS, tries=0,
    )  # fmt: skip


async def _kept(gateway: Gateway, held: Document, data: bytes) -> None:
    """The bytes are there before anybody works on it; where they cannot be kept the document failed, and says so."""
    platform = gateway.platform
    now = int(platform.clock.now() * 1000)
    try:
        await originals.put(platform.blobs, held.id, data)
    except Unavailable as error:
        with suppress(documents.Lost):
            await documents.fail(platform.tables, held, error.code, error.message, now)
        raise
    if not await documents.release(platform.tables, held, now):
        await originals.delete(platform.blobs, held.id, held.bytes)
        raise NotFound(code="not_found")


async def _waited(gateway: Gateway, document: Document) -> Document:
    """As it stands once work on it has ended here, or after ten seconds."""
    clock, tables = gateway.platform.clock, gateway.platform.tables
    end = clock.tick() + WAIT_SECONDS
    while True:
        seconds = min(LOOK_SECONDS, end - clock.tick())
        ended = await gateway.lasting.ingests.wait(document.id, seconds)
        found = await documents.find(tables, (document.owner, document.owner), document.id)
        if found is None:
            return structs.replace(document, state="deleted")
        # Whoever has ended with it, and left it as it is, goes on later.
        if found.over or ended or clock.tick() >= end:
            return found


def failure(document: Document) -> Error:
    """What its uploader is told of a document that failed while they waited."""
    more: dict[str, Any] = {"code": document.reason, "body": {"documentId": document.id}}
    if document.reason.startswith("document_"):
        return Unreadable(document.message, **more)
    if document.reason == OutOfBudget.code:
        return OutOfBudget(document.message, **more)
    return Failed(document.message, **more | {"code": Failed.code})


async def listed(gateway: Gateway, exchange: Exchange) -> Response:
    """The caller's documents and their tenant's, the newest first, a page at a time."""
    query = exchange.query()
    unknown = query.keys() - {"limit", "before"}
    if unknown:
        raise BadRequest(
            "Only limit and before are taken.", code="invalid_field", param=min(unknown)[:50]
        )
    limit, before = query.get("limit", str(PAGE)), query.get("before", "")
    digits = limit.isascii() and limit.isdigit() and len(limit) <= len(str(MOST_PAGE))
    if not (digits and 1 <= int(limit) <= MOST_PAGE):
        raise BadRequest(f"'limit' is 1 to {MOST_PAGE}.", code="invalid_field", param="limit")
    if "before" in query and not is_id(before):
        raise BadRequest("'before' is a document's id.", code="invalid_field", param="before")
    most = int(limit)
    found = await documents.page(gateway.platform.tables, owners(exchange.caller), before, most + 1)
    more = found[most - 1].id if len(found) > most else None
    body = {"documents": [shown(one) for one in found[:most]], "next": more}
    return Response(200, [JSON, NO_STORE], encode(body))


async def one(gateway: Gateway, exchange: Exchange) -> Response:
    """How a document stands; with `Accept: text/event-stream`, each change until its end."""
    document = await _asked(gateway, exchange)
    if sse.TYPE not in (exchange.request.header("accept") or ""):
        return Response(200, [JSON, NO_STORE], encode(shown(document)))
    return Response(200, list(sse.HEADERS), Watching(gateway, exchange, document))


async def delete(gateway: Gateway, exchange: Exchange) -> Response:
    """It is found no more when the reply comes; a shared one needs the scope that shared it."""
    document = await _asked(gateway, exchange)
    if document.shared:
        require(exchange.caller, scopes.RAG_SHARE)
    platform = gateway.platform
    now = int(platform.clock.now() * 1000)
    idle = await documents.delete(platform.tables, document, now)
    gateway.lasting.ingests.cancel(document.id)
    # Where a store is out of reach, or somebody may still work on it, upkeep removes what is left.
    await cleared(gateway, document.id, document.owner, document.bytes, last=idle)
    return Response(204, [NO_STORE])


async def cleared(gateway: Gateway, id: str, owner: str, size: int, *, last: bool) -> None:
    """What is left of a deleted document goes, and with the last of it its row."""
    platform = gateway.platform
    try:
        if platform.index is not None:
            await platform.index.delete(owner, document=id)
        await originals.delete(platform.blobs, id, size)
        await (documents.remove if last else documents.drop)(platform.tables, id)
    except Unavailable:
        return


async def _asked(gateway: Gateway, exchange: Exchange) -> Document:
    """The document that the path names; raises NotFound, for another's as for none."""
    id = exchange.request.path.removeprefix(PREFIX)
    found = None
    if is_id(id):
        found = await documents.find(gateway.platform.tables, owners(exchange.caller), id)
    if found is None:
        raise NotFound("There is no such document.", code="not_found")
    return found


def is_id(text: str) -> bool:
    """Whether a document can be called so: what cannot is not looked for, since not every store takes it."""
    return (
        text.isascii()
        and len(text) <= MOST_ID_BYTES
        and text.startswith("doc_")
        and text.replace("_", "").isalnum()
    )
