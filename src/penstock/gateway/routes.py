"""Path → handler, scope and limit: one dict literal, read at each request by exact match."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from penstock.auth import scopes
from penstock.errors import NotFound
from penstock.gateway import admin, embeddings, faces, logins, meta, usage
from penstock.gateway.chat import chat
from penstock.gateway.embeddings import embeddings as embed
from penstock.gateway.exchange import Exchange
from penstock.wire.http import Response

if TYPE_CHECKING:
    from penstock.gateway import Gateway

Handler = Callable[["Gateway", Exchange], Awaitable[Response]]
Auth = Literal["none", "required", "routed", "optional", "address"]
"""`routed`: the named route decides whether a caller may be anonymous; `address`: each is, whatever they show."""
Slot = Literal["any", "first", "none"]
"""`first`: one of those that are kept for the operator; `none`: it takes no slot and is never refused for want of one."""


class Endpoint(Struct, frozen=True):
    """What one method of one path does and asks for; `limit` names its rate, None where it is not metered."""

    handler: Handler
    auth: Auth = "required"
    scope: str = ""
    limit: str | None = None
    failed: str = ""
    """What a failure of this route is called on `/api/*`."""
    spends: bool = False
    """Whether it can cost money, so that an `Idempotency-Key` counts."""
    slot: Slot = "any"
    label: str = ""
    """What the counters call all paths that it serves; empty: each by itself."""


async def _chat(gateway: Gateway, exchange: Exchange) -> Response:
    return await chat(gateway, exchange, faces.OPENAI)


async def _product_chat(gateway: Gateway, exchange: Exchange) -> Response:
    return await chat(gateway, exchange, faces.PRODUCT)


async def _one_message(gateway: Gateway, exchange: Exchange) -> Response:
    return await chat(gateway, exchange, faces.ONE_MESSAGE)


async def _embed(gateway: Gateway, exchange: Exchange) -> Response:
    return await embed(gateway, exchange, embeddings.OPENAI)


async def _product_embed(gateway: Gateway, exchange: Exchange) -> Response:
    return await embed(gateway, exchange, embeddings.PRODUCT)


async def _upload(gateway: Gateway, exchange: Exchange) -> Response:
    from penstock.gateway import documents  # few ask, and a Worker starts without it

    return await documents.upload(gateway, exchange)


async def _documents(gateway: Gateway, exchange: Exchange) -> Response:
    from penstock.gateway import documents

    return await documents.listed(gateway, exchange)


async def _document(gateway: Gateway, exchange: Exchange) -> Response:
    from penstock.gateway import documents

    return await documents.one(gateway, exchange)


async def _delete_document(gateway: Gateway, exchange: Exchange) -> Response:
    from penstock.gateway import documents

    return await documents.delete(gateway, exchange)


async def _search(gateway: Gateway, exchange: Exchange) -> Response:
    from penstock.gateway import retrieval

    return await retrieval.search(gateway, exchange)


async def _query(gateway: Gateway, exchange: Exchange) -> Response:
    from penstock.gateway import asking

    return await asking.query(gateway, exchange)


async def _feedback(gateway: Gateway, exchange: Exchange) -> Response:
    from penstock.gateway.feedback import feedback_of  # few say anything

    return await feedback_of(gateway, exchange)


async def _alerts(gateway: Gateway, exchange: Exchange) -> Response:
    from penstock.gateway import alerts  # as above

    return await alerts.standing(gateway, exchange)


async def _monthly(gateway: Gateway, exchange: Exchange) -> Response:
    from penstock.gateway import monthly

    return await monthly.report(gateway, exchange)


_CHAT_FAILED = "Chat completion failed"
_EMBED_FAILED = "Embedding generation failed"
_UPLOAD_FAILED = "Document upload failed"
_SEARCH_FAILED = "Document search failed"
_QUERY_FAILED = "Document query failed"
UPLOAD = Endpoint(_upload, scope=scopes.RAG, limit="documents", failed=_UPLOAD_FAILED, spends=True)
_USAGE = Endpoint(usage.own, limit="other")


def _report(name: str) -> Endpoint:
    """One of the admin's reports, whose module few ask for: a Worker starts without it."""

    async def report(gateway: Gateway, exchange: Exchange) -> Response:
        from penstock.gateway import reports

        handlers: Mapping[str, Handler] = {
            "overview": reports.overview,
            "series": reports.series,
            "top": reports.top,
            "budgets": reports.standing,
            "costs": reports.bill,
            "savings": reports.savings,
            "logins": reports.seen,
            "export": reports.export,
        }
        return await handlers[name](gateway, exchange)

    return Endpoint(report, scope=scopes.ADMIN, slot="first")


def _dashboard(name: str, slot: Slot, label: str = "") -> Endpoint:
    """What is below `/dashboard`; it asks itself who comes."""

    async def dashboard(gateway: Gateway, exchange: Exchange) -> Response:
        from penstock.gateway import dashboard as served

        handlers: Mapping[str, Handler] = {
            "page": served.page,
            "in": served.sign_in,
            "who": served.signed_in,
            "out": served.sign_out,
        }
        if not gateway.config.server.dashboard:
            raise NotFound(code="not_found")
        return await handlers[name](gateway, exchange)

    return Endpoint(dashboard, "none", slot=slot, label=label)


def _managed(name: str, label: str = "") -> Endpoint:
    """What only the dashboard, or who does its work by hand, asks for."""

    async def managed(gateway: Gateway, exchange: Exchange) -> Response:
        from penstock.gateway import configured, everybodys, keys, requests

        handlers: Mapping[str, Handler] = {
            "requests": requests.listed,
            "request": requests.one,
            "keys": keys.listed,
            "create": keys.create,
            "revoke": keys.revoke,
            "documents": everybodys.listed,
            "routing": configured.routing,
            "limits": configured.limits,
        }
        return await handlers[name](gateway, exchange)

    return Endpoint(managed, scope=scopes.ADMIN, slot="first", label=label)


ROUTES: Mapping[str, Mapping[str, Endpoint]] = {
    "/v1/chat/completions": {"POST": Endpoint(_chat, "routed", scopes.CHAT, "chat", spends=True)},
    "/v1/embeddings": {"POST": Endpoint(_embed, "routed", scopes.EMBED, "embed", spends=True)},
    "/v1/feedback": {"POST": Endpoint(_feedback, scope=scopes.CHAT, limit="other")},
    "/v1/models": {"GET": Endpoint(meta.models, limit="other")},
    "/v1/usage": {"GET": _USAGE},
    "/api/ai/chat/completions": {
        "POST": Endpoint(_product_chat, "routed", scopes.CHAT, "chat", _CHAT_FAILED, spends=True)
    },
    "/api/ai/chat": {
        "POST": Endpoint(_one_message, "routed", scopes.CHAT, "chat", _CHAT_FAILED, spends=True)
    },
    "/api/ai/embeddings": {
        "POST": Endpoint(
            _product_embed, "routed", scopes.EMBED, "embed", _EMBED_FAILED, spends=True
        )
    },
    "/api/rag/upload": {"POST": UPLOAD},
    "/api/rag/documents": {"GET": Endpoint(_documents, scope=scopes.RAG, limit="other")},
    "/api/rag/search": {
        "POST": Endpoint(
            _search, scope=scopes.RAG, limit="documents", failed=_SEARCH_FAILED, spends=True
        )
    },
    "/api/rag/query": {
        "POST": Endpoint(_query, scope=scopes.RAG, limit="rag", failed=_QUERY_FAILED, spends=True)
    },
    "/api/usage": {"GET": _USAGE},
    "/": {"GET": Endpoint(meta.index, "none", slot="none")},
    "/health": {"GET": Endpoint(meta.health, "none", slot="none")},
    "/livez": {"GET": Endpoint(meta.livez, "none", slot="none")},
    "/readyz": {"GET": Endpoint(meta.readyz, "none", slot="none")},
    "/openapi.json": {"GET": Endpoint(meta.openapi, "none", slot="none")},
    "/docs": {"GET": Endpoint(meta.docs, "none", slot="none")},
    "/metrics": {"GET": Endpoint(admin.metrics, scope=scopes.ADMIN, slot="none")},
    "/admin/alerts": {"GET": Endpoint(_alerts, scope=scopes.ADMIN, slot="first")},
    "/admin/cache": {
        "GET": Endpoint(admin.cache_stats, scope=scopes.ADMIN, slot="first"),
        "DELETE": Endpoint(admin.cache_purge, scope=scopes.ADMIN, slot="first"),
    },
    "/admin/logins": {"GET": Endpoint(logins.everyone, scope=scopes.ADMIN, slot="first")},
    "/admin/deployments": {"GET": Endpoint(admin.deployments, scope=scopes.ADMIN, slot="first")},
    "/admin/services": {"GET": Endpoint(admin.services, scope=scopes.ADMIN, slot="first")},
    "/admin/tenant-keys": {
        "GET": Endpoint(admin.own_keys, scope=scopes.ADMIN, slot="first"),
        "PUT": Endpoint(admin.put_own_key, scope=scopes.ADMIN, slot="first"),
        "DELETE": Endpoint(admin.drop_own_key, scope=scopes.ADMIN, slot="first"),
    },
    "/admin/reports/overview": {"GET": _report("overview")},
    "/admin/reports/series": {"GET": _report("series")},
    "/admin/reports/top": {"GET": _report("top")},
    "/admin/reports/budgets": {"GET": _report("budgets")},
    "/admin/reports/costs": {"GET": _report("costs")},
    "/admin/reports/logins": {"GET": _report("logins")},
    "/admin/requests": {"GET": _managed("requests")},
    "/admin/keys": {"GET": _managed("keys"), "POST": _managed("create")},
    "/admin/documents": {"GET": _managed("documents")},
    "/admin/routing": {"GET": _managed("routing")},
    "/admin/limits": {"GET": _managed("limits")},
    "/admin/reports/monthly": {"GET": Endpoint(_monthly, scope=scopes.ADMIN, slot="first")},
    "/admin/savings": {"GET": _report("savings")},
    "/admin/usage": {"GET": Endpoint(usage.everyone, scope=scopes.ADMIN, slot="first")},
}

MODEL = Endpoint(meta.model, limit="other", label="/v1/models/{id}")
"""GET `/v1/models/{id}`, whose id may hold slashes."""

DOCUMENT_PATH = "/api/rag/documents/"
DOCUMENT: Mapping[str, Endpoint] = {
    "GET": Endpoint(_document, scope=scopes.RAG, limit="other", label=f"{DOCUMENT_PATH}{{id}}"),
    "DELETE": Endpoint(
        _delete_document, scope=scopes.RAG, limit="other", label=f"{DOCUMENT_PATH}{{id}}"
    ),
}
"""One document, by its id."""

EXPORT_PATH = "/admin/export/"
EXPORT = {"GET": replace(_report("export"), label=f"{EXPORT_PATH}{{table}}")}

BELOW: Mapping[str, Mapping[str, Endpoint]] = {
    EXPORT_PATH: EXPORT,
    DOCUMENT_PATH: DOCUMENT,
    "/v1/models/": {"GET": MODEL},
    "/admin/requests/": {"GET": _managed("request", "/admin/requests/{id}")},
    "/admin/keys/": {"DELETE": _managed("revoke", "/admin/keys/{id}")},
}
"""What is found by the beginning of its path: the rest names one of many. Its label is its template."""

PLACE = "/dashboard"
PAGES = {"GET": _dashboard("page", "none", PLACE)}
SESSION = {
    "POST": _dashboard("in", "first"),
    "GET": _dashboard("who", "first"),
    "DELETE": _dashboard("out", "first"),
}
"""What the dashboard alone asks for, beside `/admin`: OpenAPI does not tell of it."""


def find(path: str) -> Mapping[str, Endpoint] | None:
    """The methods of a path by exact match on its decoded form; None where there is nothing."""
    found = ROUTES.get(path)
    if found is None:
        for start, methods in BELOW.items():
            if path.startswith(start) and len(path) > len(start):
                return methods
        if path.startswith(PLACE):
            return _of_dashboard(path)
    return found


def _of_dashboard(path: str) -> Mapping[str, Endpoint] | None:
    if path == f"{PLACE}/session":
        return SESSION
    return PAGES if path == PLACE or path.startswith(f"{PLACE}/") else None
