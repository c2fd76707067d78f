"""Everybody's documents, for an admin: how each stands, and how many stand how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from penstock.errors import BadRequest
from penstock.gateway.documents import is_id
from penstock.gateway.exchange import Exchange
from penstock.gateway.paging import fields, limit
from penstock.ledger import days
from penstock.rag import documents
from penstock.rag.documents import Document, State
from penstock.wire.http import JSON, Response
from penstock.wire.json import encode

if TYPE_CHECKING:
    from penstock.gateway import Gateway

PAGE, MOST_PAGE = 50, 200
STATES = tuple(state for state in get_args(State) if state != "deleted")


async def listed(gateway: Gateway, exchange: Exchange) -> Response:
    """The newest first, a page at a time: never what stands in them."""
    query = fields(exchange, "limit", "before", "tenant", "status")
    most, before, state = (
        limit(query, PAGE, MOST_PAGE),
        query.get("before", ""),
        query.get("status", ""),
    )
    if "before" in query and not is_id(before):
        raise _refused("'before' is a document's id.", "before")
    if "status" in query and state not in STATES:
        raise _refused(f"'status' is one of {', '.join(STATES)}.", "status")
    if query.get("tenant") == "":
        raise _refused("'tenant' names one, or is left out.", "tenant")
    tables, tenant = gateway.platform.tables, query.get("tenant", "")
    found = await documents.everybodys(tables, before, most + 1, tenant, state)
    body = {
        "documents": [_told(one) for one in found[:most]],
        "next": found[most - 1].id if len(found) > most else None,
        "byStatus": await documents.states(tables, tenant),
    }
    return Response(200, [JSON, ("cache-control", "no-store")], encode(body))


def _told(one: Document) -> dict[str, Any]:
    return {
        "id": one.id,
        "tenant": one.tenant,
        "owner": one.sub,
        "shared": bool(one.shared),
        "filename": one.filename,
        "status": one.state,
        "size": one.bytes,
        "chunks": one.chunks,
        "error": one.reason or None,
        "created": days.iso(one.at),
        "updated": days.iso(one.changed_at),
    }


def _refused(message: str, param: str) -> BadRequest:
    return BadRequest(message, code="invalid_field", param=param)
