"""Every path and method in words, with an example that works on the sandbox."""

from __future__ import annotations

from typing import Any

from penstock.auth import scopes
from penstock.cache.generations import KINDS, PURGEABLE, URL
from penstock.gateway.documents import MOST_PAGE, PAGE
from penstock.gateway.openapi.managed import MANAGED
from penstock.gateway.openapi.operation import HTML, PDF, PLAIN, Operation, Parameter
from penstock.gateway.openapi.operation import query as _query
from penstock.gateway.usage import MOST_DAYS, OWN
from penstock.ledger import exports, logins
from penstock.ledger.reports import BY, figures

_INSTANT = {"anyOf": [{"type": "string", "format": one} for one in ("date", "date-time")]}
_SPAN = (
    _query(
        "from",
        _INSTANT,
        f"First instant, ISO 8601; at most {MOST_DAYS} days back.",
        "2026-11-01",
    ),
    _query("to", _INSTANT, "Instant before which it ends; a date means through that day.", ""),
)
_BY_OWN = _query("by", {"enum": list(OWN), "default": "day"}, "What rows are summed by.", "model")
_BY_ALL = _query("by", {"enum": list(BY), "default": "day"}, "What rows are summed by.", "user")
_BY_LOGINS = _query(
    "by", {"enum": list(logins.BY), "default": "day"}, "What rows are counted by.", "ip"
)
_PERIOD = _query(
    "by", {"enum": ["hour", "day", "month"], "default": "day"}, "Each row's period.", "day"
)
_OF = _query(
    "of", {"enum": [one for one in figures.OF if one]}, "What rows are grouped by.", "model"
)
_FILTERS = tuple(
    _query(name, {"type": "string", "maxLength": 200}, f"Of this {name} alone.", "")
    for name in ("service", "route", "provider", "model", "tenant", "user")
)  # fmt: skip
_TOP = (
    _query("order", {"enum": ["cost", "requests", "tokens"], "default": "cost"}, "The most of what.", "tokens"),
    _query("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 10}, "How many.", "5"),
)  # fmt: skip
_ONE_TENANT = _query("tenant", {"type": "string", "maxLength": 200}, "Of this tenant alone.", "")
_SAVED_BY = _query(
    "by", {"enum": ["day", "month"], "default": "day"}, "Each row's period.", "month"
)
_MONTHLY = (
    _query("month", {"type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$"}, "Which, up to the one that runs.", "2026-11"),
    _query("format", {"enum": ["html", "pdf", "json"], "default": "html"}, "What it is sent as.", "json"),
    _ONE_TENANT,
)  # fmt: skip
_TABLE: Parameter = {
    "name": "table",
    "in": "path",
    "required": True,
    "schema": {"enum": list(exports.TABLES)},
    "description": "Its name.",
    "example": "ledger",
}
_ROWS = (
    _query("from", _INSTANT, "Rows from this instant on, where they have a time.", ""),
    _query("to", _INSTANT, "Rows before it; a date means through that day.", ""),
)
_CACHE_CONTROL: Parameter = {
    "name": "cache-control",
    "in": "header",
    "schema": {"type": "string"},
    "description": "`no-cache` skips the lookup and refreshes the kept answer; `no-store` also keeps nothing.",
    "example": "no-cache",
}
ONCE: Parameter = {
    "name": "idempotency-key",
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "description": "A name for this request, such as a UUID: for 24 hours a repeat under it gets the same bytes and is"
    " not charged again.",
    "example": "0b9f2c56-6c1b-4f0e-9a53-2f6d1c1c7c11",
}
_NAMES: dict[str, dict[str, Any]] = {
    "kind": {"type": "string", "enum": [*KINDS]},
    "key": {"type": "string", "pattern": f"^({'|'.join(KINDS)}):[0-9a-f]{{64}}(\\.[0-9]+)?$"},
    "url": {"type": "string", "pattern": f"^{URL}$"},
}
_PURGE = tuple(
    _query(
        name,
        _NAMES.get(name, {"type": "string", "minLength": 1}),
        f"Entries of this {name} only.",
        example,
    )
    for name, example in zip(
        PURGEABLE, ("chat", "", "gpt-4o", "auto", "", "/api/orders/7", "orders"), strict=True
    )
)
_TENANT = _query("tenant", {"type": "string", "minLength": 1}, "A tenant's keys only.", "acme")
_PROVIDER = _query("provider", {"type": "string", "minLength": 1}, "The provider.", "openai")
_ID: Parameter = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1},
    "description": "A name of `/v1/models`; its slashes may be sent as they are.",
    "example": "auto",
}
_HELLO = [{"role": "user", "content": "Say hello."}]

CHAT = (
    Operation(
        "/v1/chat/completions", "createChatCompletion", "OpenAI", "Chat, OpenAI's way",
        "Any OpenAI SDK works with this server as its `base_url`. Fields that Penstock does not know go to"
        " OpenAI-kind targets unchanged; a target that cannot express one refuses it by name.",
        ("ChatCompletion",), "POST", scope=scopes.CHAT, rate="chat", body="ChatRequest", streams=True, spends=True,
        example={"model": "auto", "messages": _HELLO}, parameters=(_CACHE_CONTROL,),
    ),
    Operation(
        "/v1/embeddings", "createEmbeddings", "OpenAI", "Embeddings, OpenAI's way",
        "Each text is kept by itself: only those that are missing are bought.",
        ("Embeddings",), "POST", scope=scopes.EMBED, rate="embed", body="EmbeddingsRequest", spends=True,
        example={"model": "embed", "input": ["one text", "another"]}, parameters=(_CACHE_CONTROL,),
    ),
    Operation(
        "/api/ai/chat/completions", "chat", "Product", "Chat, the product's way",
        "Streams send `{\"delta\": …}` a piece, then the whole reply, then `[DONE]`.",
        ("ProductChat",), "POST", scope=scopes.CHAT, rate="chat", body="ProductChatRequest", streams=True, spends=True,
        example={"messages": _HELLO}, parameters=(_CACHE_CONTROL,),
    ),
    Operation(
        "/api/ai/chat", "chatOneMessage", "Product", "Chat with one message",
        "The short form of `/api/ai/chat/completions`.",
        ("ProductChat",), "POST", scope=scopes.CHAT, rate="chat", body="OneMessageRequest", streams=True, spends=True,
        example={"message": "Say hello."}, parameters=(_CACHE_CONTROL,),
    ),
    Operation(
        "/api/ai/embeddings", "embed", "Product", "Embeddings, the product's way",
        "`text` for one vector, `texts` for a batch.",
        ("ProductEmbedding", "ProductEmbeddingBatch"), "POST", scope=scopes.EMBED, rate="embed",
        body="ProductEmbeddingsRequest", spends=True, example={"texts": ["one text", "another"]},
        parameters=(_CACHE_CONTROL,),
    ),
)  # fmt: skip

READ = (
    Operation(
        "/v1/feedback", "giveFeedback", "OpenAI", "Say how an answer was",
        "A `score`, or a `name` with a `value`, for a request of one's own: experiments and routing learn from it. The"
        " last word under a name counts.",
        ("Feedback",), "POST", scope=scopes.CHAT, rate="other", body="FeedbackRequest",
        example={"request_id": "req_0b9f2c56", "score": 1}, also=(404,),
    ),
    Operation(
        "/v1/models", "listModels", "OpenAI", "Routes, aliases and targets",
        "Every configured name that `model` may say, in OpenAI's form.", ("Models",), rate="other",
    ),
    Operation(
        "/v1/models/{id}", "getModel", "OpenAI", "One route, alias or target",
        "By its name.", ("Model",), rate="other", parameters=(_ID,), also=(404,),
    ),
    Operation(
        "/v1/usage", "getUsage", "Usage", "What I used",
        "The caller's own requests, tokens and cost.", ("Usage",), rate="other", parameters=(*_SPAN, _BY_OWN),
    ),
    Operation(
        "/api/usage", "getProductUsage", "Usage", "What I used",
        "The same as `/v1/usage`.", ("Usage",), rate="other", parameters=(*_SPAN, _BY_OWN),
    ),
)  # fmt: skip

REPORTS = (
    Operation(
        "/admin/reports/overview", "getOverview", "Reports", "One page of figures",
        "Used, spent, saved, served free or from the cache, how long it took and what failed.", ("Overview",),
        scope=scopes.ADMIN, parameters=(*_SPAN, *_FILTERS),
    ),
    Operation(
        "/admin/reports/series", "getSeries", "Reports", "The same by period", "And by one key more.", ("Series",),
        scope=scopes.ADMIN, parameters=(*_SPAN, _PERIOD, _OF, *_FILTERS),
    ),
    Operation(
        "/admin/reports/top", "getTop", "Reports", "Who or what used most", "By cost, requests or tokens.", ("Top",),
        scope=scopes.ADMIN, parameters=(*_SPAN, _OF, *_TOP, *_FILTERS),
    ),
    Operation(
        "/admin/savings", "getSavings", "Reports", "What was saved",
        "What all chats would have cost by the strong target, beside what they did.", ("Savings",),
        scope=scopes.ADMIN, parameters=(*_SPAN, _SAVED_BY, _ONE_TENANT),
    ),
    Operation(
        "/admin/reports/budgets", "getBudgets", "Reports", "How fast budgets go", "Those nearest to their cap.",
        ("Budgets",), scope=scopes.ADMIN,
    ),
    Operation(
        "/admin/reports/costs", "getCosts", "Reports", "This month's bill by line",
        "So far, as things go, and against what it may be.", ("Costs",), scope=scopes.ADMIN,
    ),
    Operation(
        "/admin/reports/logins", "getLoginsSeen", "Reports", "Registrations and logins",
        "With the share that succeeded, and by country.", ("LoginsSeen",), scope=scopes.ADMIN,
        parameters=(*_SPAN, _BY_LOGINS),
    ),
    Operation(
        "/admin/reports/monthly", "getMonthly", "Reports", "The report of a month",
        "As one HTML file, as PDF or in figures; without `month`, which reports were made by themselves.",
        ("MonthlyReports", "Monthly"), scope=scopes.ADMIN, parameters=_MONTHLY, files=(HTML, PDF),
    ),
    Operation(
        "/admin/export/{table}", "exportTable", "Reports", "A whole table",
        "As CSV, whose cells no spreadsheet runs as formulas, or as JSON by `format=json`.", kind="text/csv",
        scope=scopes.ADMIN, parameters=(_TABLE, *_ROWS),
    ),
)  # fmt: skip

ADMIN = (
    Operation(
        "/metrics", "getMetrics", "Admin", "Counters since start",
        "In Prometheus' text form.", kind=PLAIN, scope=scopes.ADMIN,
    ),
    Operation(
        "/admin/alerts", "getAlerts", "Admin", "What fires, and what was told",
        "With what became of each notice at its channels, the newest first.", ("Alerts",), scope=scopes.ADMIN,
    ),
    Operation(
        "/admin/cache", "getCacheCounts", "Admin", "Hits and misses",
        "Of each kind of cache.", ("CacheCounts",), scope=scopes.ADMIN,
    ),
    Operation(
        "/admin/cache", "purgeCache", "Admin", "Forget kept answers",
        "Those that any of the given names concerns; all of them where none is given. Holds everywhere within 10 s.",
        ("Purged",), "DELETE", scope=scopes.ADMIN, parameters=_PURGE,
    ),
    Operation(
        "/admin/logins", "getLogins", "Admin", "Who registered and who tried to log in",
        "At the service `auth`, as long as `accounts.retention_days` keeps it.", ("Logins",), scope=scopes.ADMIN,
        parameters=(*_SPAN, _BY_LOGINS),
    ),
    Operation(
        "/admin/deployments", "getDeployments", "Admin", "How targets' deployments stand",
        "As the process that answers sees them.", ("Deployments",), scope=scopes.ADMIN,
    ),
    Operation(
        "/admin/services", "getServices", "Admin", "How services and their backends stand",
        "As the process that answers sees them.", ("Services",), scope=scopes.ADMIN,
    ),
    Operation(
        "/admin/tenant-keys", "getTenantKeys", "Admin", "Tenants' own keys",
        "Of all tenants or of one; never the keys themselves.", ("TenantKeys",), scope=scopes.ADMIN,
        parameters=(_TENANT,),
    ),
    Operation(
        "/admin/tenant-keys", "putTenantKey", "Admin", "Keep a tenant's own key",
        "In the place of the one before it. Holds everywhere within 10 s.", ("TenantKey",), "PUT", scope=scopes.ADMIN,
        body="TenantKeyRequest",
        example={"tenant": "acme", "provider": "openai", "key": "sk-of-acme-and-nobody-else"}, also=(503,),
    ),
    Operation(
        "/admin/tenant-keys", "deleteTenantKey", "Admin", "Forget a tenant's own key",
        "From then on the tenant is served by ours. Holds everywhere within 10 s.", ("TenantKeyDeleted",), "DELETE",
        scope=scopes.ADMIN, parameters=tuple({**one, "required": True} for one in (_TENANT, _PROVIDER)),
    ),
    Operation(
        "/admin/usage", "getUsageOfAll", "Admin", "What everybody used",
        "As `/v1/usage`, of all callers.", ("UsageOfAll",), scope=scopes.ADMIN, parameters=(*_SPAN, _BY_ALL),
    ),
)  # fmt: skip

META = (
    Operation("/", "getIndex", "Server", "What this is", "Name, version, links.", ("Index",), credential=False),
    Operation(
        "/health", "getHealth", "Server", "Is it there?", "Always `healthy`; degraded parts belong to `/readyz`.",
        ("Health",), credential=False,
    ),
    Operation("/livez", "getLiveness", "Server", "Does the process answer?", "", ("Live",), credential=False),
    Operation(
        "/readyz", "getReadiness", "Server", "Can it take billed work?",
        "Not ready while the ledger is out of reach or the server drains.", ("Ready",), credential=False, also=(503,),
    ),
    Operation(
        "/openapi.json", "getOpenAPI", "Server", "This description", "OpenAPI 3.1.",
        ("OpenAPI",), credential=False, also=(404,),
    ),
    Operation(
        "/docs", "getDocs", "Server", "This description as a page", "Without scripts.",
        kind=HTML, credential=False, also=(404,),
    ),
)  # fmt: skip

_DOCUMENT_ID: Parameter = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1},
    "description": "A `documentId`.",
    "example": "doc_example",
}
_PAGES = (
    _query("limit", {"type": "integer", "minimum": 1, "maximum": MOST_PAGE, "default": PAGE}, "How many.", "10"),
    _query("before", {"type": "string", "pattern": "^doc_[0-9A-Za-z]{1,60}$"}, "The `next` of the page before.", ""),
)  # fmt: skip

DOCUMENTS = (
    Operation(
        "/api/rag/upload", "uploadDocument", "Documents", "Upload a document",
        "A form with a `file`, or `{text, filename}`. Waits ten seconds for it to be `ready` (201), else it goes on behind"
        " the reply (202). The same bytes again are the same document (200). `shared` makes it the tenant's and needs the"
        " scope `rag:share`.",
        ("Uploaded",), "POST", scope=scopes.RAG, rate="documents", body="UploadRequest", form="UploadForm", spends=True,
        example={"text": "A walrus eats clams.", "filename": "walrus.txt"}, good=(200, 201, 202), targets=False,
    ),
    Operation(
        "/api/rag/search", "searchDocuments", "Documents", "Search my documents",
        "The caller's own and those shared with their tenant. Each result is a literal span of its document's text. Asking"
        " the embedding model costs; `lexicalOnly` says that none was asked.",
        ("Sources",), "POST", scope=scopes.RAG, rate="documents", body="SearchRequest", spends=True,
        example={"query": "What does a walrus eat?"}, targets=False,
    ),
    Operation(
        "/api/rag/query", "askDocuments", "Documents", "Ask my documents",
        "An answer from the caller's documents, with `[n]` for source n and the span that each citation rests on. Citations"
        " that cannot be verified are taken out (`removed`). Where the sources are not likely to answer, or there are none,"
        " it says that this is not in the documents, and no model is asked. A stream sends `{sources}` first.",
        ("Answered",), "POST", scope=scopes.RAG, rate="rag", body="QueryRequest", streams=True, spends=True,
        example={"question": "What does a walrus eat?"},
    ),
    Operation(
        "/api/rag/documents", "listDocuments", "Documents", "My documents",
        "The newest first, a page at a time.", ("Documents",), scope=scopes.RAG, rate="other", parameters=_PAGES,
    ),
    Operation(
        "/api/rag/documents/{id}", "getDocument", "Documents", "How a document stands",
        "With `Accept: text/event-stream` each change as an event, until it is `ready` or `failed`, for at most five"
        " minutes.",
        ("Document",), scope=scopes.RAG, rate="other", parameters=(_DOCUMENT_ID,), also=(404,), streams=True,
    ),
    Operation(
        "/api/rag/documents/{id}", "deleteDocument", "Documents", "Delete a document",
        "It is found no more when the reply comes. A shared one needs the scope `rag:share`.", (), "DELETE",
        scope=scopes.RAG, rate="other", parameters=(_DOCUMENT_ID,), also=(404,), good=(204,),
    ),
)  # fmt: skip

OPERATIONS: tuple[Operation, ...] = (*CHAT, *DOCUMENTS, *READ, *REPORTS, *MANAGED, *ADMIN, *META)
