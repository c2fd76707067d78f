"""Every status that an operation can answer with: what it means, its envelope, its codes and its headers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from penstock.gateway.openapi.answers import Schema, ref
from penstock.gateway.openapi.operation import EVENTS, JSON, Operation
from penstock.rag.reasons import REASONS

PROBLEM = "application/problem+json"
CREDENTIAL = (400, 401, 431, 503)
BODY = (400, 413, 415)
SPENDING = (400, 404, 409, 422, 502, 503, 504)
NO_CONTENT = 204


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a status says, in words and by its fixed codes."""

    title: str
    text: str
    codes: tuple[str, ...]


MEANINGS: dict[int, Meaning] = {
    400: Meaning(
        "Bad request",
        "The request is not valid; the code says why, `param` where. Nothing is charged, save earlier calls of a large batch.",
        (
            "invalid_request", "invalid_json", "invalid_field", "duplicate_field", "forbidden_field",
            "invalid_header", "duplicate_header", "conflicting_credentials", "credential_in_query",
            "too_many_inputs", "token_input_unsupported", "unknown_provider", "unsupported_field",
            "unsupported_parameter", "no_target_fits", "context_length_exceeded", "content_filter", "upstream_refused",
            "beyond_token_rate", "unpriced_target", "invalid_idempotency_key", "invalid_path",
            "invalid_event", "invalid_signature", "invalid_form", "too_many_groups", "pdf_unavailable",
        ),
    ),
    401: Meaning(
        "Unauthorized",
        "No valid credential was sent.",
        ("missing_credential", "invalid_token", "token_expired", "invalid_api_key", "credential_revoked",
         "session_over"),
    ),
    403: Meaning(
        "Forbidden",
        "The credential lacks the scope, there are as many documents as the tier takes, or a session's request does not come"
        " from the dashboard's page.",
        ("insufficient_scope", "document_quota", "csrf"),
    ),
    404: Meaning("Not found", "There is no such path, model or document.", ("not_found", "model_not_found")),
    405: Meaning(
        "Method not allowed", "This path takes only the methods in `allow`.", ("method_not_allowed",)
    ),
    409: Meaning(
        "Conflict",
        "The first request with this Idempotency-Key is being answered, or its reply cannot be repeated.",
        ("idempotency_in_flight", "idempotency_outcome_unknown", "idempotency_body_not_kept", "event_id_reused",
         "document_gone"),
    ),
    413: Meaning(
        "Too large", "The body has too many bytes (10 MB unless configured) or values, or the document more than"
        " the tier takes.",
        ("body_too_large", "document_too_large"),
    ),
    415: Meaning("Unsupported encoding", "The body is compressed.", ("unsupported_encoding",)),
    422: Meaning(
        "Key used before, or no document",
        "This Idempotency-Key was used for another path or body; or the document cannot be read, and the code says why.",
        ("idempotency_key_reused", *REASONS),
    ),
    429: Meaning(
        "Too many requests",
        "A rate or a budget is used up, or too many calls run at once; wait as long as `retry-after` says.",
        ("rate_limit_exceeded", "insufficient_quota", "parallel_limit_exceeded"),
    ),
    431: Meaning("Credential too long", "It is longer than 8 KB.", ("header_too_large",)),
    500: Meaning("Internal error", "Nobody foresaw this; the request id finds it.", ("internal_error",)),
    502: Meaning(
        "Bad gateway",
        "Every permitted try at the targets failed.",
        (
            "upstream_failed", "upstream_unreachable", "upstream_broken", "upstream_too_large", "upstream_unreadable",
            "upstream_overloaded", "upstream_rate_limited", "upstream_unauthorized", "upstream_model_not_found",
            "upstream_redirected", "upstream_timeout", "upstream_loop",
        ),
    ),
    503: Meaning(
        "Unavailable",
        "A store is out of reach, nothing is configured for this, the gateway has too much to do, or its target has.",
        ("service_unavailable", "issuer_unreachable", "overloaded", "upstream_cooling", "tenant_key_unreadable"),
    ),
    504: Meaning("Gateway timeout", "The target took too long.", ("upstream_timeout",)),
}  # fmt: skip

_TEXT = {"type": "string"}
_WHOLE = {"type": "string", "pattern": "^[0-9]+$"}
HEADERS: dict[str, tuple[str, dict[str, str]]] = {
    "x-request-id": ("Names this request: for `penstock explain`.", {**_TEXT, "pattern": "^req_"}),
    "x-ratelimit-limit-requests": ("Requests admitted in the tightest window.", _WHOLE),
    "x-ratelimit-remaining-requests": ("Requests left in it.", _WHOLE),
    "x-ratelimit-reset-requests": ("When it is whole again, such as `6m0s`.", _TEXT),
    "x-ratelimit-limit-tokens": ("Tokens a minute, where the tier has such a rate.", _WHOLE),
    "x-ratelimit-remaining-tokens": ("Tokens left of them.", _WHOLE),
    "x-ratelimit-reset-tokens": ("When they are whole again.", _TEXT),
    "ratelimit-policy": ("The policies, by the IETF draft.", _TEXT),
    "ratelimit": ("How they stand, by the IETF draft.", _TEXT),
    "x-ratelimit-limit": ("Requests admitted in the tightest window.", _WHOLE),
    "x-ratelimit-remaining": ("Requests left in it.", _WHOLE),
    "x-ratelimit-reset": ("When it is whole again, in epoch milliseconds.", _WHOLE),
    "retry-after": ("Seconds to wait.", _WHOLE),
    "x-should-retry": ("`false` where a repeat could be charged twice, or would wait more than a minute.", {**_TEXT, "const": "false"}),
    "x-penstock-replayed": ("The request whose kept reply this is, by its Idempotency-Key.", {**_TEXT, "pattern": "^req_"}),
    "x-penstock-target": ("The target that answered, `PROVIDER/MODEL`.", _TEXT),
    "x-penstock-cache": ("Where the answer came from.", {**_TEXT, "pattern": "^(hit|miss|bypass)$"}),
    "x-penstock-cost-nanos": ("What it cost, in 10⁻⁹ US dollars; not on streams.", _WHOLE),
    "x-penstock-overhead-us": ("What the gateway itself took, in microseconds; not on streams.", _WHOLE),
    "x-penstock-max-output": ("The output cap sent under a budget, since the request named none.", _WHOLE),
    "www-authenticate": ("`Bearer`.", _TEXT),
    "allow": ("The methods of this path.", _TEXT),
    "content-security-policy": ("No scripts, nothing from elsewhere.", _TEXT),
}  # fmt: skip

_RATES = ("x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests",
          "ratelimit-policy", "ratelimit")  # fmt: skip
_TOKEN_RATES = (
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
)
_FIRST_DESIGN = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
_ANSWERED = ("x-penstock-target", "x-penstock-cache")
_SPENT = ("x-penstock-cost-nanos", "x-penstock-overhead-us")
_ALWAYS: dict[int, tuple[str, ...]] = {
    401: ("www-authenticate",),
    405: ("allow",),
    429: ("retry-after",),
    503: ("retry-after",),
}
_PERHAPS: dict[int, tuple[str, ...]] = {
    409: ("retry-after", "x-should-retry"),
    429: ("x-should-retry",),
    502: ("retry-after", "x-should-retry"),
    504: ("x-should-retry",),
}
_AFTER_A_CALL = frozenset({400, 500, 503})
"""Statuses that may follow a call which was charged, beside those of `_PERHAPS`."""
_COUNTED = frozenset({200, 201, 202, 204, 403, 404, 409, 413, 415, 422, 429, 502, 504})
"""Statuses that come only after a request was counted, so that the rates are told."""

_OPENAI_EVENTS = (
    'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":'
    '[{"index":0,"delta":{"content":"Hello."},"finish_reason":null}]}\n\ndata: [DONE]\n\n'
)
_PRODUCT_EVENTS = (
    'data: {"delta":"Hello."}\n\ndata: {"message":{"role":"assistant","content":"Hello."},"model":"gpt-4o",'
    '"provider":"openai","tokens":12,"cost":0.00003}\n\ndata: [DONE]\n\n'
)
_ANSWER_EVENTS = (
    'data: {"sources":[]}\n\ndata: {"delta":"This is not in your documents."}\n\n'
    'data: {"answer":"This is not in your documents.","sources":[],"citations":[],"removed":[],"confidence":0.02,'
    '"lexicalOnly":true,"model":"none","provider":"","tokens":0,"cost":0}\n\ndata: [DONE]\n\n'
)
_DOCUMENT_EVENTS = 'data: {"documentId":"doc_1","status":"embedding","chunks":40,"done":20}\n\n'


def headers() -> dict[str, Any]:
    """The component headers."""
    return {
        name: {"description": text, "schema": schema} for name, (text, schema) in HEADERS.items()
    }


def responses(operation: Operation) -> dict[str, Any]:
    """The replies of an operation by status."""
    found = {str(status): _good(operation, status) for status in operation.good}
    for status in statuses(operation):
        found[str(status)] = _bad(operation, status)
    return found


def statuses(operation: Operation) -> list[int]:
    """The statuses other than 200, in order."""
    found = {405, 500, *operation.also}
    found |= {*CREDENTIAL} if operation.credential else set()
    found |= {403} if operation.scope else set()
    found |= {429} if operation.rate else set()
    found |= {*BODY} if operation.body else set()
    found |= {*SPENDING} if operation.spends else set()
    return sorted(found)


def _good(operation: Operation, status: int) -> dict[str, Any]:
    if status == NO_CONTENT:
        return {"description": "Done.", "headers": _told(operation, status)}
    content: dict[str, Any] = {operation.kind: {"schema": _TEXT}}
    if operation.answer:
        schemas = [ref(name) for name in operation.answer]
        content = {JSON: {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}}
    content |= {kind: {"schema": _TEXT} for kind in operation.files}
    if operation.streams:
        content[EVENTS] = {"example": _events(operation)}
    return {
        "description": "The answer." if operation.answer else "The page.",
        "headers": _told(operation, status),
        "content": content,
    }


def _bad(operation: Operation, status: int) -> dict[str, Any]:
    if operation.path == "/readyz" and status == 503:
        content = {JSON: {"schema": ref("Ready")}}
        return {"description": "Not ready.", "headers": _told(operation, 0), "content": content}
    meaning = MEANINGS[status]
    return {
        "description": f"{meaning.title}. {meaning.text}",
        "headers": _told(operation, status),
        "content": _envelope(operation, status, {"enum": list(meaning.codes)}),
    }


def _envelope(operation: Operation, status: int, codes: Schema) -> dict[str, Any]:
    if _openai(operation):
        inner: Schema = {"properties": {"code": codes}}
        return {JSON: {"schema": {"allOf": [ref("Error"), {"properties": {"error": inner}}]}}}
    within: Schema = {"properties": {"code": codes, "status": {"const": status}}}
    return {PROBLEM: {"schema": {"allOf": [ref("Problem"), within]}}}


def _events(operation: Operation) -> str:
    if _openai(operation):
        return _OPENAI_EVENTS
    if operation.answer == ("Answered",):
        return _ANSWER_EVENTS
    return _PRODUCT_EVENTS if operation.spends else _DOCUMENT_EVENTS


def _openai(operation: Operation) -> bool:
    return operation.path.startswith("/v1/")


def _told(operation: Operation, status: int) -> dict[str, Any]:
    always = ["x-request-id", *_ALWAYS.get(status, ())]
    perhaps = [*_PERHAPS.get(status, ())]
    if operation.rate and status != 405:
        (always if status in _COUNTED else perhaps).extend(_rates(operation))
    if operation.spends and status != 405:
        perhaps += _TOKEN_RATES
        perhaps += ("x-should-retry",) if status in _AFTER_A_CALL else ()
    if status in operation.good and operation.spends:
        perhaps.append("x-penstock-replayed")
    if status == 200 and operation.spends and operation.targets:
        always += _ANSWERED
        (perhaps if operation.streams else always).extend(_SPENT)
        perhaps += ("x-penstock-max-output",) if operation.streams else ()
    if status == 200 and operation.path == "/docs":
        always.append("content-security-policy")
    return {name: _header(name, name in always) for name in [*always, *perhaps]}


def _rates(operation: Operation) -> tuple[str, ...]:
    return _RATES + (_FIRST_DESIGN if operation.path.startswith("/api/") else ())


def _header(name: str, required: bool) -> dict[str, Any]:
    component = {"$ref": f"#/components/headers/{name}"}
    if not required:
        return component
    text, schema = HEADERS[name]
    return {"description": text, "schema": schema, "required": True}
