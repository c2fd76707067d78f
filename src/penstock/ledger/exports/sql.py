"""The SQL of exports: pages of a table by its key, in the subset that SQLite, D1 and PostgreSQL share.

Columns stand here by name: what opens something (hashes of keys, sealed keys, bodies, prompts) is no part of an export.
"""

from __future__ import annotations

from msgspec import Struct


class Table(Struct, frozen=True):
    """What is exported of a table: its key's columns come first."""

    key: tuple[str, ...]
    more: tuple[str, ...]

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
    ),
    "decisions": Table(("request_id",), ("at", "owner", "record")),
    "usage_hours": Table(
        _words("hour service route provider model cache"),
        _words("requests free estimated input cached_input cache_write output amount_nanos"),
    ),
    "usage_owners": Table(
        _words("tenant owner hour service route provider model cache"),
        _words("requests free estimated input cached_input cache_write output amount_nanos"),
    ),
    "usage_dimensions": Table(
        ("dimension", "day", "value"),
        _words("requests cached free estimated tokens amount_nanos"),
    ),
    "outcomes": Table(
        _words("span starts service route target cache status error low"), ("number",)
    ),
    "budgets": Table(("budget", "starts"), _words("ends cap reserved spent beyond")),
    "cache_counts": Table(("day", "kind"), ("hits", "misses")),
    "registrations": Table(("id",), _words("at user_id email ip country referrer")),
    "logins": Table(("id",), _words("at email success ip country")),
    "api_keys": Table(
        ("id",), _words("sub tenant tier scopes name created_at expires_at revoked_at")
    ),
    "tenant_keys": Table(("tenant", "provider"), ("last4", "at")),
    "allotments": Table(("account", "day"), ("used",)),
    "generations": Table(("scope",), ("number",)),
    "idempotency": Table(("owner", "key"), _words("request_id state at until")),
    "webhook_events": Table(
        ("id",), _words("received_at due_at attempts status outcome ended_at")
    ),
    "documents": Table(
        ("id",), _words("owner filename kind title bytes shared state reason model chunks tenant sub at changed_at")
    ),
    "alert_states": Table(("rule", "subject"), ("state",)),
    "alert_notices": Table(("id",), _words("at rule event notice")),
    "alert_deliveries": Table(("id",), _words("notice channel at due_at attempts status outcome ended_at")),
    "feedback": Table(("request_id", "name"), _words("owner tenant value at")),
    "labels": Table(
        ("request_id",),
        _words("at owner tenant route judge weak_target strong_target weak strong weak_nanos strong_nanos"),
    ),
}  # fmt: skip


def _page(name: str, *, first: bool) -> str:
    table = TABLES[name]
    keys = ", ".join(table.key)
    after = ", ".join(f"${at + 1}" for at in range(len(table.key)))
    where = "" if first else f"where ({keys}) > ({after}) "
    limit = 1 if first else len(table.key) + 1
    columns = ", ".join(table.columns)
    return f"select {columns} from {name} {where}order by {keys} limit ${limit}"


FIRST: dict[str, str] = {name: _page(name, first=True) for name in TABLES}
NEXT: dict[str, str] = {name: _page(name, first=False) for name in TABLES}
