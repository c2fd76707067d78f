"""What the gateway says of itself: index, health, models, its description."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import penstock
from penstock.errors import Error, ModelNotFound, NotFound
from penstock.gateway.exchange import Exchange
from penstock.ledger import days
from penstock.wire.http import JSON, Response
from penstock.wire.json import encode

if TYPE_CHECKING:
    from penstock.gateway import Gateway

LINKS = {"docs": "/docs", "openapi": "/openapi.json", "health": "/health", "models": "/v1/models"}
NO_STORE = ("cache-control", "no-store")


async def index(gateway: Gateway, exchange: Exchange) -> Response:
    return _json({"name": "Penstock", "version": penstock.__version__, "links": LINKS})


async def health(gateway: Gateway, exchange: Exchange) -> Response:
    """The first design's form; degraded parts belong to `/readyz`."""
    stamp = days.iso(int(gateway.platform.clock.now() * 1000))
    return _json(
        {
            "status": "healthy",
            "timestamp": stamp,
            "edge": gateway.edge,
            "version": penstock.__version__,
        },
        NO_STORE,
    )


async def livez(gateway: Gateway, exchange: Exchange) -> Response:
    return _json({"status": "ok"}, NO_STORE)


async def readyz(gateway: Gateway, exchange: Exchange) -> Response:
    """Whether new billed work can be taken: the ledger answers and no drain has begun. Overload is told, but waiting helps."""
    parts = {"draining": "yes" if gateway.draining else "no", "tables": "ok"}
    try:
        await gateway.platform.tables.rows("select 1")
    except Error:
        parts["tables"] = "unavailable"
    parts["slots"] = "used up" if gateway.lasting.admission.waiting else "ok"
    ready = parts["tables"] == "ok" and not gateway.draining
    body = encode({"status": "ready" if ready else "not ready", "parts": parts})
    return Response(200 if ready else 503, [JSON, NO_STORE], body)


async def models(gateway: Gateway, exchange: Exchange) -> Response:
    """Routes, aliases and configured targets in OpenAI's form."""
    created = int(gateway.started_at)
    listed = [_model(name, owner, created) for name, owner in gateway.names.routes.names()]
    return _json({"object": "list", "data": listed})


async def model(gateway: Gateway, exchange: Exchange) -> Response:
    """One of them by its name, which may hold slashes."""
    wanted = exchange.request.path.removeprefix("/v1/models/")
    for name, owner in gateway.names.routes.names():
        if name == wanted:
            return _json(_model(name, owner, int(gateway.started_at)))
    raise ModelNotFound(
        f"'{wanted[:100]}' is neither a route nor a configured target.", param="model"
    )


async def openapi(gateway: Gateway, exchange: Exchange) -> Response:
    _published(gateway)
    from penstock.gateway import openapi as description  # few ask, and a Worker starts without it

    return Response(200, [JSON], description.document())


async def docs(gateway: Gateway, exchange: Exchange) -> Response:
    _published(gateway)
    from penstock.gateway import openapi as description

    return Response(200, description.PAGE_HEADERS, description.page())


def _published(gateway: Gateway) -> None:
    if not gateway.config.server.docs:
        raise NotFound


def _model(name: str, owner: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": owner}


def _json(value: Any, *headers: tuple[str, str]) -> Response:
    return Response(200, [JSON, *headers], encode(value))
