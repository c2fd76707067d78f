"""The SQL of exports: pages of a table by its key, in the subset that SQLite, D1 and PostgreSQL share.

Columns stand here by name: what opens something (hashes of keys, sealed keys, bodies, prompts) is no part of an export. A test
fails where a table, or a column of one, is neither exported nor left out for a reason.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Table(Struct, frozen=True):
    """What is exported of a table: its key's columns come first. `time` is the column that spans are of, in ms or as a UTC day."""

    key: tuple[str, ...]
    more: tuple[str, ...]
    time: str = ""
    kind: Literal["ms", "day"] = "ms"

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.key, *self.more)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


TABLES: dict[str, Table] = {
    "ledger": Table(
        ("request_id", "attempt", "stage"),
        _words(
            "ended at lease_until owner tenant sub key_id route service provider model target input cached_input"
            " cache_write output reasoning amount_nanos cache price"
        ),
        "at",
    ),
    "decisions": Table(("request_id",), ("at", "owner", "record"), "at"),
    "usage_hours": Table(
        _words("hour service route provider model cache"),
        _words("requests free estimated input cached_input cache_write output amount_nanos"),
        "hour",
    ),
    "usage_owners": Table(
        _words("tenant owner hour service route provider model cache"),
        _words("requests free estimated input cached_input cache_write output amount_nanos"),
        "hour",
    ),
    "usage_dimensions": Table(
        ("dimension", "day", "value"),
        _words("requests cached free estimated tokens amount_nanos"),
        "day",
    ),
    "outcomes": Table(
        _words("span starts service route target cache status error low"), ("number",), "starts"
    ),
    "budgets": Table(("budget", "starts"), _words("ends cap reserved spent beyond"), "starts"),
    "budget_holds": Table(("request_id", "budget", "starts"), _words("unit amount settled"), "starts"),
    "cache_counts": Table(("day", "kind"), ("hits", "misses"), "day", "day"),
    "registrations": Table(("id",), _words("at user_id email ip country referrer"), "at"),
    "logins": Table(("id",), _words("at email success ip country"), "at"),
    "api_keys": Table(
        ("id",), _words("sub tenant tier scopes name created_at expires_at revoked_at"), "created_at"
    ),
    "tenant_keys": Table(("tenant", "provider"), ("last4", "at"), "at"),
    "allotments": Table(("account", "day"), ("used",), "day", "day"),
    "generations": Table(("scope",), ("number",)),
    "idempotency": Table(("owner", "key"), _words("request_id state at until"), "at"),
    "idempotency_dispatches": Table(("request_id",), ("until",)),
    "webhook_events": Table(
        ("id",), _words("received_at due_at attempts status outcome ended_at"), "received_at"
    ),
    "documents": Table(
        ("id",),
        _words(
            "owner filename kind title bytes shared state reason model chunks done tenant sub tier key_id at changed_at tries"
        ),
        "at",
    ),
    "alert_states": Table(("rule", "subject"), ("state",)),
    "alert_notices": Table(("id",), _words("at rule event notice"), "at"),
    "alert_deliveries": Table(("id",), _words("notice channel at due_at attempts status outcome ended_at"), "at"),
    "document_owners": Table(("owner",), _words("count most version served_at")),
    "feedback": Table(("request_id", "name"), _words("owner tenant value at"), "at"),
    "labels": Table(
        ("request_id",),
        _words(
            "shadow_id at owner tenant route judge weak_target strong_target weak strong weak_nanos strong_nanos"
        ),
        "at",
    ),
    "monthly_reports": Table(("month", "tenant"), _words("due_at attempts outcome ended_at error")),
}  # fmt: skip

NEVER: dict[str, str] = {
    "revocations": "hashes of credentials",
    "sessions": "credentials, sealed",
    "alert_turns": "whose turn it is to judge alerts",
    "alert_words": "what processes tell each other for a few minutes",
    "installation": "this installation's secret",
    "blobs": "replies of others, for repeats of their requests",
    "passages": "texts of documents, which their owners have",
    "prompts": "texts, which `penstock usage --export-log` has as far as their tenants agreed",
    "vectors": "what an index keeps for itself",
    "vector_index": "what an index keeps for itself",
    "rollup_marks": "how far sums are made",
    "rollup_usage": "empty between batches",
    "rollup_outcomes": "empty between batches",
    "latency_bounds": "the same in each installation",
    "migrations": "which migrations were made, as `penstock migrate` says",
    **dict.fromkeys(
        _words(
            "first_usage_tracking first_user_registrations first_login_attempts first_cost_summary first_cache_stats"
        ),
        "the first design's own, in whatever columns those had; views have them",
    ),
}
"""Tables that are not exported, and why."""
LEFT_OUT: dict[tuple[str, str], str] = {
    ("api_keys", "hash"): "tells a key from another, and so whether one was guessed",
    ("tenant_keys", "sealed"): "a key, sealed",
    ("tenant_keys", "master"): "what seals it",
    ("idempotency", "fingerprint"): "a hash of what was asked",
    ("webhook_events", "body"): "of customers",
    ("webhook_events", "signature"): "with the body a message that is believed",
    ("documents", "hash"): "tells who has the same file",
    ("documents", "declared"): "what a caller wrote",
    ("documents", "message"): "as `reason` says",
    ("documents", "holder"): "a process",
    ("documents", "lease_until"): "of that process",
    ("labels", "features"): "hashes of a prompt",
    ("labels", "prompt"): "a text",
    ("labels", "weak_answer"): "a text",
    ("labels", "strong_answer"): "a text",
}
"""Columns of exported tables that are not, and why."""


def _page(name: str, *, first: bool, spanned: bool) -> str:
    """(Since, until,) the key of the row before, the most rows. Ordered by the key alone: by an index of times each page would be
    the whole span, sorted."""
    table = TABLES[name]
    keys = ", ".join(table.key)
    column = f"+{table.time}" if table.kind == "ms" else table.time
    begins = 3 if spanned else 1
    after = ", ".join(f"${at + begins}" for at in range(len(table.key)))
    tests = [f"{column} >= $1 and {column} < $2"] if spanned else []
    tests += [] if first else [f"({keys}) > ({after})"]
    where = f"where {' and '.join(tests)} " if tests else ""
    limit = begins if first else begins + len(table.key)
    columns = ", ".join(table.columns)
    return f"select {columns} from {name} {where}order by {keys} limit ${limit}"


_BOTH = [(name, spanned) for name, table in TABLES.items() for spanned in (False, True) if table.time or not spanned]  # fmt: skip
FIRST: dict[tuple[str, bool], str] = {(name, spanned): _page(name, first=True, spanned=spanned) for name, spanned in _BOTH}  # fmt: skip
NEXT: dict[tuple[str, bool], str] = {(name, spanned): _page(name, first=False, spanned=spanned) for name, spanned in _BOTH}  # fmt: skip
