"""The outside of the gateway as an OpenAPI document, and as a page without scripts."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import penstock
from penstock.gateway.openapi import alerts, answers, managed, replies, reporting, requests
from penstock.gateway.openapi.operation import JSON, Operation
from penstock.gateway.openapi.operations import ONCE, OPERATIONS
from penstock.gateway.openapi.page import HEADERS as PAGE_HEADERS
from penstock.gateway.openapi.page import render
from penstock.wire.json import encode

__all__ = ["PAGE_HEADERS", "document", "page", "tree"]

FORM = "multipart/form-data"
TAGS = {
    "OpenAI": "Any OpenAI SDK works by setting its `base_url`.",
    "Product": "The paths and shapes of the first design.",
    "Documents": "Uploaded, made searchable, found.",
    "Usage": "What was used and what it cost.",
    "Reports": "What an admin's dashboard shows.",
    "Admin": "For credentials with the scope `admin`.",
    "Server": "What the server says of itself; no credential needed.",
}
ABOUT = (
    "Chat and embeddings from the cheapest target that will do, from cache where it can, every token accounted.\n\n"
    "Send `Authorization: Bearer` with a token (`penstock token --sub me`) or an API key, or the key as `x-api-key`."
    " Errors on `/v1/*` come in OpenAI's envelope, elsewhere as `application/problem+json`; both carry a fixed code."
    " GET paths answer HEAD too. Bodies are strict JSON: no duplicate names, no NaN, at most 128 levels deep."
)


@lru_cache(maxsize=1)
def document() -> bytes:
    """OpenAPI 3.1 of every path, as JSON."""
    return encode(tree())


@lru_cache(maxsize=1)
def page() -> bytes:
    """The same for people, as HTML."""
    return render(tree()).encode()


def tree() -> dict[str, Any]:
    """OpenAPI 3.1 of every path."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Penstock",
            "version": penstock.__version__,
            "summary": "An AI gateway.",
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": requests.schemas()
            | answers.schemas()
            | reporting.schemas()
            | managed.schemas()
            | alerts.schemas(),
            "headers": replies.headers(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of a configured issuer, or an API key `pk-…`.",
                },
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }


def _described(operation: Operation) -> dict[str, Any]:
    scopes = [operation.scope] if operation.scope else []
    found: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.text,
        "security": [{"bearer": scopes}, {"key": scopes}] if operation.credential else [],
        "responses": replies.responses(operation),
    }
    parameters = [*operation.parameters, *([ONCE] if operation.spends else [])]
    if parameters:
        found["parameters"] = parameters
    if operation.body:
        content = {"schema": answers.ref(operation.body), "example": operation.example}
        bodies: dict[str, Any] = {JSON: content}
        if operation.form:
            bodies[FORM] = {"schema": answers.ref(operation.form)}
        found["requestBody"] = {"required": True, "content": bodies}
    return found
