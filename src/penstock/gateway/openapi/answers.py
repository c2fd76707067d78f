"""What replies hold, as JSON Schema."""

from __future__ import annotations

from typing import Any

from penstock.cache.generations import KINDS

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
DOLLARS: Schema = {"type": "number", "minimum": 0, "description": "US dollars, nine decimals."}
VECTOR: Schema = {"type": "array", "items": NUMBER, "minItems": 1}


def schemas() -> dict[str, Schema]:
    """The component schemas of every reply."""
    return _openai() | _product() | _documents() | _reports() | _meta() | _errors()


def exact(properties: dict[str, Schema], *optional: str) -> Schema:
    """An object with these fields and no others; all but `optional` are always there."""
    required = [name for name in properties if name not in optional]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def listed(name: str) -> Schema:
    return {"type": "array", "items": ref(name)}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _openai() -> dict[str, Schema]:
    model = {
        "id": TEXT,
        "object": {"const": "model"},
        "created": COUNT,
        "owned_by": TEXT,
    }
    return {
        "ChatCompletion": _completion(),
        "Embeddings": exact(
            {
                "object": {"const": "list"},
                "data": listed("Embedding"),
                "model": TEXT,
                "usage": exact({"prompt_tokens": COUNT, "total_tokens": COUNT}),
            }
        ),
        "Embedding": exact(
            {
                "object": {"const": "embedding"},
                "index": COUNT,
                "embedding": {"anyOf": [VECTOR, {"type": "string", "contentEncoding": "base64"}]},
            }
        ),
        "Model": exact(model),
        "Models": exact({"object": {"const": "list"}, "data": listed("Model")}),
    }


def _completion() -> Schema:
    """What a target sent passes as it is, so that more fields may stand in it."""
    message = {
        "type": "object",
        "properties": {"role": {"const": "assistant"}, "content": {"type": ["string", "null"]}},
        "required": ["role"],
    }
    choice = {
        "type": "object",
        "properties": {
            "index": COUNT,
            "message": message,
            "finish_reason": {"type": ["string", "null"]},
        },
        "required": ["index", "message", "finish_reason"],
    }
    usage = {
        "type": "object",
        "properties": {
            "prompt_tokens": COUNT,
            "completion_tokens": COUNT,
            "total_tokens": COUNT,
        },
    }
    return {
        "type": "object",
        "properties": {
            "id": TEXT,
            "object": {"const": "chat.completion"},
            "created": COUNT,
            "model": TEXT,
            "choices": {"type": "array", "items": choice, "minItems": 1},
            "usage": usage,
        },
        "required": ["id", "object", "created", "model", "choices"],
    }


def _product() -> dict[str, Schema]:
    said = exact({"role": {"const": "assistant"}, "content": TEXT})
    vector = {
        "embedding": VECTOR,
        "tokens": COUNT,
        "cost": DOLLARS,
        "provider": TEXT,
        "model": TEXT,
        "cached": {"const": True, "description": "Only where it came from the cache."},
    }
    chat = {
        "message": said,
        "model": TEXT,
        "provider": TEXT,
        "tokens": COUNT,
        "cost": DOLLARS,
        "cached": {"const": True, "description": "Only where it came from the cache."},
    }
    batch = {
        "embeddings": listed("ProductEmbedding"),
        "totalTokens": COUNT,
        "totalCost": DOLLARS,
        "provider": TEXT,
        "cached": {**COUNT, "description": "How many of the texts came from the cache."},
    }
    return {
        "ProductChat": exact(chat, "cached"),
        "ProductEmbedding": exact(vector, "cached"),
        "ProductEmbeddingBatch": exact(batch),
    }


def _documents() -> dict[str, Schema]:
    state = {"enum": ["queued", "parsing", "embedding", "ready", "failed"]}
    named = {"documentId": TEXT, "filename": TEXT}
    source = named | {"chunk": COUNT, "score": NUMBER, "text": TEXT, "start": COUNT, "end": COUNT}
    source["start"] = {**COUNT, "description": "In characters of the document's text."}
    document = named | {
        "kind": {**TEXT, "description": "What its bytes are, once it was read."},
        "title": TEXT,
        "bytes": COUNT,
        "shared": {"type": "boolean"},
        "status": state,
        "chunks": COUNT,
        "done": {**COUNT, "description": "Of the chunks, those that are embedded and indexed."},
        "createdAt": TEXT,
        "changedAt": TEXT,
        "reason": {**TEXT, "description": "The code of why it failed."},
        "message": {**TEXT, "description": "The same in words, with what to do."},
    }
    citation = {
        "source": {**COUNT, "minimum": 1, "description": "Of `sources`, from 1."},
        "documentId": TEXT,
        "start": COUNT,
        "end": COUNT,
        "text": {**TEXT, "description": "What stands there in the document's text."},
    }
    taken = {"marker": TEXT, "reason": {"enum": ["no_such_source", "not_in_source", "too_many"]}}
    answered = {
        "answer": TEXT,
        "sources": listed("CitedSource"),
        "citations": listed("Citation"),
        "removed": listed("RemovedCitation"),
        "confidence": {**NUMBER, "minimum": 0, "maximum": 1},
        "lexicalOnly": {"type": "boolean"},
        "model": {**TEXT, "description": "`extractive` or `none` where none was asked."},
        "provider": TEXT,
        "tokens": COUNT,
        "cost": DOLLARS,
        "extractive": {
            "const": True,
            "description": "Only where the documents' own sentences answer.",
        },
        "cached": {"const": True, "description": "Only where it came from the cache."},
    }
    return {
        "CitedSource": exact(source | {"cited": {"type": "boolean"}}),
        "Citation": exact(citation),
        "RemovedCitation": exact(taken),
        "Answered": exact(answered, "extractive", "cached"),
        "Uploaded": exact(named | {"chunks": COUNT, "status": state}),
        "Source": exact(source),
        "Sources": exact({"results": listed("Source"), "lexicalOnly": {"type": "boolean"}}),
        "Document": exact(document, "reason", "message"),
        "Documents": exact(
            {
                "documents": listed("Document"),
                "next": {"type": ["string", "null"], "description": "The next page's `before`."},
            }
        ),
    }


def _reports() -> dict[str, Schema]:
    sums = {
        "requests": COUNT,
        "tokens": COUNT,
        "cached": COUNT,
        "cost": DOLLARS,
        "costNanos": {"type": "string", "pattern": "^-?[0-9]+$", "description": "10⁻⁹ US dollars."},
    }
    row = {"period": TEXT, "service": TEXT, "provider": TEXT, "model": TEXT} | sums
    wide = row | {"user": TEXT, "route": TEXT}
    kind = exact({"kind": {"enum": list(KINDS)}, "hits": COUNT, "misses": COUNT})
    named = dict.fromkeys(("period", "email", "ip", "country"), TEXT)
    tried = dict.fromkeys(("attempts", "succeeded", "failed", "registrations"), COUNT)
    purged = {"anyOf": [{"const": "all"}, {"type": "object", "additionalProperties": TEXT}]}
    return {
        "UsageSums": exact(sums),
        "Usage": exact(
            {"rows": {"type": "array", "items": exact(row)}, "totals": ref("UsageSums")}
        ),
        "UsageOfAll": exact(
            {
                "rows": {"type": "array", "items": exact(wide, "user", "route")},
                "totals": ref("UsageSums"),
            }
        ),
        "Logins": exact(
            {
                "rows": {"type": "array", "items": exact({**named, **tried}, *named)},
                "totals": exact(tried),
            }
        ),
        "CacheCounts": exact({"kinds": {"type": "array", "items": kind}}),
        "Purged": exact({"purged": purged}),
        "Feedback": exact({"request_id": TEXT, "name": TEXT, "value": NUMBER}),
        **_standing(),
        **_tenant_keys(),
    }


def _tenant_keys() -> dict[str, Schema]:
    key = exact(
        {
            "tenant": TEXT,
            "provider": TEXT,
            "last4": {**TEXT, "description": "Its last four characters."},
            "at": {**COUNT, "description": "When it was put there, in seconds since the epoch."},
            "master": {**TEXT, "description": "The id of the master key that opens it."},
        }
    )
    return {
        "TenantKey": key,
        "TenantKeys": exact({"keys": {"type": "array", "items": ref("TenantKey")}}),
        "TenantKeyDeleted": exact({"deleted": {"type": "boolean"}}),
    }


def _standing() -> dict[str, Schema]:
    """How what is behind the gateway stands."""
    texts = {"type": "array", "items": TEXT}
    backend = exact(
        {
            "url": TEXT,
            "weight": COUNT,
            "state": {"enum": ["up", "bad", "ejected"]},
            "for": {"type": "number", "description": "Seconds it has been so."},
            "probe": {"enum": ["none yet", "well", "failed", "off"]},
            "failures_in_a_row": COUNT,
            "ejections": COUNT,
            "in_air": COUNT,
            "requests": {"type": "object", "additionalProperties": COUNT},
        }
    )
    service = exact(
        {
            "name": TEXT,
            "prefixes": texts,
            "balance": {"enum": ["weighted", "least"]},
            "backends": {"type": "array", "items": backend},
        }
    )
    number = {"type": "number"}
    deployment = exact(
        {
            "name": TEXT,
            "weight": COUNT,
            "state": {"enum": ["up", "bad", "ejected"]},
            "cooling": {**number, "description": "Seconds for which it asked to be left alone."},
            "full": {**number, "description": "Seconds for which its limits are used up."},
            "requests_per_minute": COUNT,
            "tokens_per_minute": COUNT,
            "used": {**number, "description": "Share of its limits, from 0 to 1."},
            "in_air": COUNT,
            "picks": COUNT,
            "failures_in_a_row": COUNT,
        }
    )
    target = exact({"target": TEXT, "deployments": {"type": "array", "items": deployment}})
    return {
        "Deployments": exact({"targets": {"type": "array", "items": target}}),
        "Services": exact({"services": {"type": "array", "items": service}}),
    }


def _meta() -> dict[str, Schema]:
    links = dict.fromkeys(("docs", "openapi", "health", "models"), TEXT)
    health = {
        "status": {"const": "healthy"},
        "timestamp": {"type": "string", "format": "date-time"},
        "edge": {**TEXT, "description": "The Cloudflare colo, or `unknown`."},
        "version": TEXT,
    }
    parts = exact(
        {
            "draining": {"enum": ["yes", "no"]},
            "tables": {"enum": ["ok", "unavailable"]},
            "slots": {"enum": ["ok", "used up"]},
        }
    )
    return {
        "Index": exact({"name": TEXT, "version": TEXT, "links": exact(links)}),
        "Health": exact(health),
        "Live": exact({"status": {"const": "ok"}}),
        "OpenAPI": {
            "type": "object",
            "properties": {"openapi": {"const": "3.1.0"}},
            "required": ["openapi", "info", "paths", "components"],
        },
        "Ready": exact({"status": {"enum": ["ready", "not ready"]}, "parts": parts}),
    }


def _errors() -> dict[str, Schema]:
    error = {
        "message": TEXT,
        "type": TEXT,
        "param": {"type": ["string", "null"], "description": "The field at fault."},
        "code": {**TEXT, "description": "Fixed; programs may rely on it."},
    }
    problem = {
        "type": {"const": "about:blank"},
        "title": TEXT,
        "status": {"type": "integer"},
        "detail": TEXT,
        "code": {**TEXT, "description": "Fixed; programs may rely on it."},
        "error": {**TEXT, "description": "The title, where the first design has it."},
        "param": {**TEXT, "description": "The field at fault."},
        "retryAfter": {"type": "integer", "minimum": 1, "description": "Seconds to wait (429)."},
        "limit": {**COUNT, "description": "Requests in a window (429)."},
        "window": {**COUNT, "description": "Seconds (429)."},
        "upgrade": {**TEXT, "description": "For free callers whose tier is used up (429)."},
        "budget": {
            "type": "object",
            "description": "The budget that does not have what the call may take (429).",
        },
        "documentId": {**TEXT, "description": "Of an upload that failed while it was waited for."},
    }
    more = ("documentId", "param", "retryAfter", "limit", "window", "upgrade", "budget")
    return {"Error": exact({"error": exact(error)}), "Problem": exact(problem, *more)}
