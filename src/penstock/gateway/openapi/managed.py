"""What an admin manages by the dashboard: operations and their schemas."""

from __future__ import annotations

from typing import Any

from penstock.auth import scopes
from penstock.gateway import everybodys, keys, requests
from penstock.gateway.openapi.answers import COUNT, NUMBER, TEXT, Schema, exact, listed, ref
from penstock.gateway.openapi.operation import Operation, Parameter, query

_INSTANT = {"anyOf": [{"type": "string", "format": one} for one in ("date", "date-time")]}
_STATUS = {"type": "string", "pattern": "^[1-5]([0-9]{2}|xx)$"}
_NANOS: Schema = {"type": "string", "pattern": "^-?[0-9]+$", "description": "10⁻⁹ US dollars."}
_AMOUNTS: dict[str, Schema] = {"cost": NUMBER, "costNanos": _NANOS}


def _limit(default: int, most: int) -> Parameter:
    schema = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
    return query("limit", schema, "How many.", "10")


def _before(prefix: str, what: str) -> Parameter:
    schema = {"type": "string", "pattern": f"^{prefix}_[0-9a-z]{{1,60}}$"}
    return query("before", schema, f"A {what}'s id: the `next` of the page before.", "")


def _id(example: str, what: str) -> Parameter:
    return {
        "name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1},
        "description": f"A {what}'s id.", "example": example,
    }  # fmt: skip


_REQUESTS = (
    query("from", _INSTANT, "First instant at which they began, ISO 8601.", "2026-11-01"),
    query("to", _INSTANT, "Instant before which they began; a date means through that day.", ""),
    _limit(requests.PAGE, requests.MOST_PAGE),
    _before("req", "request"),
    *[
        query(name, {"type": "string", "maxLength": 200}, f"Of this {name} alone.", "")
        for name in requests.FILTERS
        if name != "status"
    ],
    query("status", _STATUS, "Of this status, or class as `4xx`, alone.", ""),
)
_KEYS = (
    _limit(keys.PAGE, keys.MOST_PAGE),
    _before("key", "key"),
    query("tenant", {"type": "string", "minLength": 1, "maxLength": 200}, "Of this tenant alone.", ""),
)  # fmt: skip
_DOCUMENTS = (
    _limit(everybodys.PAGE, everybodys.MOST_PAGE),
    query("before", {"type": "string", "pattern": "^doc_[0-9A-Za-z]{1,60}$"}, "The `next` of the page before.", ""),
    query("tenant", {"type": "string", "minLength": 1, "maxLength": 200}, "Of this tenant alone.", ""),
    query("status", {"enum": list(everybodys.STATES)}, "In this state alone.", "failed"),
)  # fmt: skip

MANAGED = (
    Operation(
        "/admin/requests", "getRequests", "Admin", "The log of requests",
        "The newest first. With filters a page looks through some thousands of them, and may be short though `next` says that"
        " there are more.",
        ("Requests",), scope=scopes.ADMIN, parameters=_REQUESTS,
    ),
    Operation(
        "/admin/requests/{id}", "getRequest", "Admin", "One request, and why it went where it went",
        "As `penstock explain` says it: the decision, and each row of the ledger.", ("RequestTold",), scope=scopes.ADMIN,
        parameters=(_id("req_example", "request"),), also=(404,),
    ),
    Operation(
        "/admin/keys", "getKeys", "Admin", "API keys", "The newest first; never the keys themselves.", ("Keys",),
        scope=scopes.ADMIN, parameters=_KEYS,
    ),
    Operation(
        "/admin/keys", "createKey", "Admin", "Make an API key", "`key` is shown this once. Without `sub` it is called as the key.",
        ("KeyMade",), "POST", scope=scopes.ADMIN, body="KeyRequest",
        example={"name": "laptop of ann", "sub": "ann", "scopes": ["chat"]}, good=(201,),
    ),
    Operation(
        "/admin/keys/{id}", "revokeKey", "Admin", "Revoke an API key",
        "Everywhere, from the next request on. Again, it does nothing.", (), "DELETE", scope=scopes.ADMIN,
        parameters=(_id("key_example", "key"),), also=(404,), good=(204,),
    ),
    Operation(
        "/admin/documents", "getDocumentsOfAll", "Admin", "Everybody's documents",
        "The newest first: how each stands, never what stands in it.", ("DocumentsOfAll",), scope=scopes.ADMIN,
        parameters=_DOCUMENTS,
    ),
    Operation(
        "/admin/routing", "getRouting", "Admin", "Routes and routers",
        "What each leads to and at which price; the learned router, how far it can be trusted, and whether the labels since it was"
        " made show that it gains.", ("Routing",), scope=scopes.ADMIN,
    ),
    Operation(
        "/admin/limits", "getLimits", "Admin", "Tiers, rates and budgets", "As they are configured.", ("Limits",),
        scope=scopes.ADMIN,
    ),
)  # fmt: skip


def schemas() -> dict[str, Schema]:
    """The component schemas of what is managed."""
    return _requests() | _keys() | _documents() | _configured()


def _requests() -> dict[str, Schema]:
    words = dict.fromkeys(
        ("route", "model", "provider", "target", "code", "cache"), _maybe("string")
    )
    absent = {"tenant": _maybe("string"), "user": _maybe("string"), "service": _maybe("string")}
    sizes = {name: _maybe("integer") for name in ("status", "input", "output")}
    times = {"latencyMs": _maybe("number"), "firstMs": _maybe("number")}
    row: dict[str, Schema] = {
        "id": TEXT, "time": TEXT, **absent, **words, **sizes, **_AMOUNTS, **times, "stream": _maybe("boolean"),
    }  # fmt: skip
    warm = exact(
        {
            "target": TEXT,
            **dict.fromkeys(("deployment", "insteadOf", "savesNanos"), _maybe("string")),
            "tokens": COUNT,
        }
    )
    why = exact(
        {
            **dict.fromkeys(("asked", "tier", "policy", "arm", "reason"), TEXT),
            "features": {"type": "object"},
            "offers": {"type": "array", "items": TEXT},
            "tries": COUNT,
            "deployment": _maybe("string"),
            "warm": {"anyOf": [warm, {"type": "null"}]},
            "price": _maybe("string"),
            "reservedNanos": _NANOS,
            "upstreamMs": NUMBER,
        }
    )
    step = {
        "type": "object",
        "properties": {"stage": TEXT, "at": TEXT, "attempt": COUNT, **_AMOUNTS},
    }
    told = {
        **row,
        "decision": {"anyOf": [why, {"type": "null"}]},
        "ledger": {"type": "array", "items": step},
    }
    return {
        "RequestLogged": exact(row),
        "RequestTold": exact(told),
        "Requests": exact({"requests": listed("RequestLogged"), "next": _maybe("string")}),
    }  # fmt: skip


def _keys() -> dict[str, Schema]:
    scoped = {"type": "array", "items": TEXT}
    ends = {"expires": _maybe("string"), "revoked": _maybe("string")}
    key: dict[str, Schema] = {
        **dict.fromkeys(("id", "name", "tenant", "sub", "tier", "created"), TEXT), "scopes": scoped, **ends,
    }  # fmt: skip
    name = {"type": ["string", "null"], "minLength": 1, "maxLength": 256}
    asked: dict[str, Any] = {
        "name": {"type": "string", "minLength": 1, "maxLength": 128},
        "sub": {**name, "description": "Whose it is; null: called as the key."},
        "tenant": {**name, "description": "null: `default`."},
        "tier": {
            "type": ["string", "null"],
            "description": "One that is configured; null: `free`.",
        },
        "scopes": {
            "type": ["array", "null"],
            "minItems": 1,
            "maxItems": keys.MOST_SCOPES,
            "items": {"type": "string", "pattern": r"^[\x21\x23-\x5b\x5d-\x7e]{1,64}$"},
            "description": "null: chat, embed and rag.",
        },
        "expires": {
            "anyOf": [*_INSTANT["anyOf"], {"type": "null"}],
            "description": "Its end, to come; null: never.",
        },
    }
    return {
        "Key": exact(key),
        "KeyMade": exact({**key, "key": {**TEXT, "description": "The key itself, this once."}}),
        "Keys": exact({"keys": {"type": "array", "items": ref("Key")}, "next": _maybe("string")}),
        "KeyRequest": {
            "type": "object", "properties": asked, "required": ["name"], "additionalProperties": False,
        },
    }  # fmt: skip


def _documents() -> dict[str, Schema]:
    one = exact(
        {
            **dict.fromkeys(("id", "tenant", "owner", "filename", "created", "updated"), TEXT), "shared": {"type": "boolean"},
            "status": {"enum": list(everybodys.STATES)}, "size": COUNT, "chunks": COUNT, "error": _maybe("string"),
        }
    )  # fmt: skip
    counts = {"type": "object", "additionalProperties": COUNT}
    page = {
        "documents": {"type": "array", "items": one},
        "next": _maybe("string"),
        "byStatus": counts,
    }
    return {"DocumentsOfAll": exact(page)}


def _configured() -> dict[str, Schema]:
    figures = exact(dict.fromkeys(("apgr", "apgrLow", "apgrHigh"), NUMBER))
    texts = dict.fromkeys(("name", "source", "trained", "trust"), TEXT)
    artefact = _or_null(exact({**texts, "version": COUNT, "rows": COUNT, "figures": figures}))
    price = _or_null(exact(dict.fromkeys(("input", "output", "cachedInput"), NUMBER)))
    offer = exact({**dict.fromkeys(("target", "provider", "model"), TEXT), "price": price})
    shadow = exact(
        {**dict.fromkeys(("moneyPerDay", "judge", "weak", "strong"), TEXT), "share": NUMBER}
    )
    route = exact(
        {
            **dict.fromkeys(("route", "verb", "policy"), TEXT), "offers": {"type": "array", "items": offer},
            "model": artefact, "quality": _maybe("number"), "strongShare": _maybe("number"), "shadow": _or_null(shadow),
        }
    )  # fmt: skip
    labels = {
        "rows": COUNT,
        "newest": _maybe("string"),
        "byRoute": {"type": "object", "additionalProperties": COUNT},
    }
    certificate = {
        "type": "object",
        "properties": {"certified": _maybe("boolean"), "reason": TEXT, "route": TEXT},
    }
    rate = exact({"rate": COUNT, "window": COUNT})
    tier = exact(
        {
            "name": TEXT, "rate": COUNT, "window": COUNT, "endpoints": {"type": "object", "additionalProperties": rate},
            "tokensPerMinute": _maybe("integer"), "parallel": _maybe("integer"), "embeddingBatch": COUNT, "documents": COUNT,
            "documentBytes": COUNT,
        }
    )  # fmt: skip
    words = dict.fromkeys(("name", "tier", "money"), _maybe("string"))
    budget = exact({"per": TEXT, "period": TEXT, **words, "tokens": _maybe("integer")})
    return {
        "Routing": exact(
            {
                "routes": {"type": "array", "items": route}, "artefact": artefact, "labels": exact(labels),
                "certificate": _or_null(certificate),
            }
        ),
        "Limits": exact({"tiers": {"type": "array", "items": tier}, "budgets": {"type": "array", "items": budget}}),
    }  # fmt: skip


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _maybe(kind: str) -> Schema:
    return {"type": [kind, "null"]}
