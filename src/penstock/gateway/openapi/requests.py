"""What request bodies may hold, as JSON Schema: OpenAI's forms straight from the decoders' own types."""

from __future__ import annotations

from typing import Any

import msgspec

from penstock.auth.jwt import LONGEST_NAME
from penstock.auth.tenant_keys import LONGEST, SHORTEST
from penstock.config.standing import TIERS
from penstock.gateway import feedback
from penstock.gateway.embeddings import OPENAI_BATCH
from penstock.gateway.retrieval import LONGEST_QUESTION, TOP
from penstock.rag.search import MOST_FOUND
from penstock.wire.chat import FORBIDDEN, MAX_NAME, PARTS, ChatBody
from penstock.wire.embeddings import EmbeddingsBody

Schema = dict[str, Any]

MOST_TEXTS = max(tier.embedding_batch for tier in TIERS.values())
"""Texts of one product call, unless configured otherwise."""

_TEXT = {"type": "string", "minLength": 1}
_NULL = {"type": "null"}
_STEERING: Schema = {"not": {"anyOf": [{"required": [name]} for name in sorted(FORBIDDEN)]}}
_NAMES = {"ChatBody": "ChatRequest", "EmbeddingsBody": "EmbeddingsRequest"}

ABOUT = {
    "model": "A route (`auto`), a target (`openai/gpt-4o`), or a bare model name.",
    "messages": "A list of `{role, content}`; the last one's text decides how complex the ask is.",
    "stream": "Whether the answer comes as server-sent events.",
    "stream_options": "`include_usage` adds a last chunk with the usage; goes with `stream: true`.",
    "max_tokens": "The most tokens of output.",
    "max_completion_tokens": "The same in OpenAI's newer name; where both are given the larger is the bound.",
    "n": "How many choices.",
    "service_tier": "`auto` and `default`; the other tiers have prices of their own and are refused.",
    "modalities": "Text only: spoken answers have prices of their own.",
    "audio": "Refused, as spoken answers are.",
    "web_search_options": "Refused: searches have a price of their own.",
    "input": "One text, or a list of them. Token numbers are refused: targets differ in theirs.",
    "encoding_format": "`base64` is little-endian float32.",
    "dimensions": "Length of the vectors, where the target can choose.",
    "text": "One text, or `texts`.",
    "texts": "As many texts as the caller's tier allows: free 10, pro 50, enterprise 100.",
    "message": "One message of the user.",
    "forceProvider": "A configured provider; needs the scope `route:force`.",
    "temperature": "How freely the model chooses.",
}


def schemas() -> dict[str, Schema]:
    """The component schemas of every request body."""
    found = _generated()
    _chat(found)
    found["EmbeddingsRequest"]["properties"]["input"] = {
        "anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": OPENAI_BATCH}]
    }
    found["EmbeddingsRequest"] |= _STEERING
    found["ProductChatRequest"] = _product({"messages": _product_messages()}, "messages")
    found["OneMessageRequest"] = _product({"message": _TEXT}, "message")
    found["ProductEmbeddingsRequest"] = _product_embeddings()
    found["TenantKeyRequest"] = _tenant_key()
    found |= _documents()
    found["FeedbackRequest"] = _feedback()
    for schema in found.values():
        _tell(schema)
    return found


def _documents() -> dict[str, Schema]:
    shared = {"type": "boolean", "description": "Whether it is the tenant's."}
    name = {"type": "string", "description": "Its ending says how a text is written."}
    k = {"type": ["integer", "null"], "minimum": 1, "maximum": MOST_FOUND, "default": TOP}
    asked = {"type": "string", "minLength": 1, "maxLength": LONGEST_QUESTION, "pattern": "\\S"}
    document = {"type": ["string", "null"], "description": "Search in this one alone."}
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    form = {"file": file, "filename": name, "shared": {"enum": ["true", "false"]}}
    upload = {"text": _TEXT, "filename": name, "shared": shared}
    search = {"query": asked, "topK": k, "documentId": document}
    stream = {"type": ["boolean", "null"]}
    query = {"question": asked, "topK": k, "documentId": document, "stream": stream}
    return {
        "UploadRequest": {"type": "object", "properties": upload, "required": ["text"]},
        "UploadForm": {"type": "object", "properties": form, "required": ["file"], "additionalProperties": False},
        "QueryRequest": {"type": "object", "properties": query, "required": ["question"], **_STEERING},
        "SearchRequest": {"type": "object", "properties": search, "required": ["query"]},
    }  # fmt: skip


def _tenant_key() -> Schema:
    bounds = {"minLength": SHORTEST, "maxLength": LONGEST, "pattern": "^[!-~]+$"}
    return {
        "type": "object",
        "properties": {
            "tenant": {**_TEXT, "maxLength": LONGEST_NAME},
            "provider": {**_TEXT, "description": "One that takes tenants' own keys."},
            "key": {"type": "string", **bounds, "description": "It is never shown again."},
        },
        "required": ["tenant", "provider", "key"],
        "additionalProperties": False,
    }


def _feedback() -> Schema:
    """A score, or a name with its value."""
    number = {"type": "number", "minimum": -feedback.MOST, "maximum": feedback.MOST}
    score = {"type": "number", "minimum": -1, "maximum": 1}
    value = {"anyOf": [{"type": "boolean"}, number]}
    fields: Schema = {
        "request_id": {"type": "string", "pattern": f"^{feedback.ID}$"},
        "score": {**score, "description": "From bad (-1) to good (1)."},
        "name": {"type": "string", "pattern": f"^{feedback.NAME}$"},
        "value": {**value, "description": "A truth value counts as 1 or 0."},
    }
    named = {name: fields[name] for name in ("request_id", "name", "value")}
    scored = {name: fields[name] for name in ("request_id", "score")}
    forms = [
        {"properties": own | dict.fromkeys(fields.keys() - own, _NULL), "required": [*own]}
        for own in (scored, named)
    ]
    # Under the name of a score a value is one.
    forms[1]["if"] = {"properties": {"name": {"const": "score"}}}
    forms[1]["then"] = {"properties": {"value": {"anyOf": [{"type": "boolean"}, score]}}}
    known: Schema = {name: {} for name in fields}
    return {"type": "object", "properties": known, "additionalProperties": False, "anyOf": forms}


def _generated() -> dict[str, Schema]:
    _, components = msgspec.json.schema_components(
        [ChatBody, EmbeddingsBody], ref_template="#/components/schemas/{name}"
    )
    found = {_NAMES.get(name, name): schema for name, schema in components.items()}
    for name, schema in found.items():
        schema["title"] = name
        schema.pop("description", None)
        for field in schema.get("properties", {}).values():
            field.pop("default", None)
    return found


def _chat(found: dict[str, Schema]) -> None:
    """What the chat decoder checks beyond its types."""
    found["ChatRequest"] |= _STEERING | {
        "if": {
            "required": ["stream_options"],
            "properties": {"stream_options": {"type": "object"}},
        },
        "then": {"required": ["stream"], "properties": {"stream": {"const": True}}},
    }
    found["Message"]["properties"]["content"]["anyOf"][1]["minItems"] = 1
    said = [
        {
            "required": ["tool_calls"],
            "properties": {"tool_calls": {"type": "array", "minItems": 1}},
        },
        {
            "required": ["function_call"],
            "properties": {"function_call": {"type": "object", "minProperties": 1}},
        },
        {"required": ["refusal"], "properties": {"refusal": _TEXT}},
    ]
    found["Message"]["anyOf"] = [
        {"required": ["content"], "properties": {"content": {"type": ["string", "array"]}}},
        {"properties": {"role": {"const": "assistant"}}, "anyOf": said},
    ]
    found["Part"]["properties"]["type"] = {"enum": list(PARTS)}
    found["Part"]["allOf"] = [_kind("text"), _kind("image_url")]


def _kind(name: str) -> Schema:
    return {
        "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
        "then": {"required": [name]},
    }


def _product_messages() -> Schema:
    role = {"enum": ["assistant", "system", "user"]}
    message = {
        "type": "object",
        "properties": {"role": role, "content": {"type": "string"}},
        "required": ["role", "content"],
    }
    return {"type": "array", "items": message, "minItems": 1}


def _product(first: dict[str, Schema], required: str) -> Schema:
    """A chat of the product face; fields it does not know are ignored."""
    return {
        "type": "object",
        "properties": first
        | {
            "model": {"anyOf": [{**_TEXT, "maxLength": MAX_NAME}, _NULL]},
            "forceProvider": {"type": ["string", "null"]},
            "stream": {"type": ["boolean", "null"]},
            "temperature": {"type": ["number", "null"], "minimum": 0, "maximum": 2},
            "max_tokens": {"type": ["integer", "null"], "minimum": 1, "maximum": 10_000_000},
        },
        "required": [required],
    } | _STEERING


def _product_embeddings() -> Schema:
    texts = {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": MOST_TEXTS}
    return {
        "type": "object",
        "anyOf": [
            {"properties": {"text": _TEXT, "texts": _NULL}, "required": ["text"]},
            {"properties": {"texts": texts, "text": _NULL}, "required": ["texts"]},
        ],
    } | _STEERING


def _tell(schema: Schema) -> None:
    for part in (schema, *schema.get("anyOf", ())):
        for name, field in part.get("properties", {}).items():
            if name in ABOUT and field is not _NULL and field is not _TEXT:
                field.setdefault("description", ABOUT[name])
            elif name in ABOUT and field is _TEXT:
                part["properties"][name] = {**field, "description": ABOUT[name]}
