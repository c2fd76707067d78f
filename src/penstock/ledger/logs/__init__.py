"""The ledger's chats as a log: what was asked for when, by whom and how long; text only where its tenant agreed."""

from __future__ import annotations

from collections.abc import Container, Mapping
from hashlib import sha256
from typing import Any

import msgspec

from penstock.ledger import days
from penstock.ledger.logs import sql
from penstock.ports import Row, Statement, Tables
from penstock.wire.logs import Line

PAGE_ROWS = 1_000
SWEEP_ROWS = 500
CLASSES = frozenset({"simple", "medium", "complex"})
Place = tuple[int, str]
_HASH_DIGITS = 12


async def page(
    tables: Tables, after: Place, until: int, agreed: Container[str]
) -> tuple[list[Line], Place]:
    """The next chats that ended before `until`, in their order, and the place behind them; none at the end.

    A log begins at the place (milliseconds, ""). Text is there of tenants who `agreed`, and do so now.
    """
    rows = await tables.rows(sql.PAGE, *after, until, PAGE_ROWS)
    if rows:
        after = int(rows[-1][0]), str(rows[-1][1])
    return [_line(row, agreed) for row in rows], after


def prompt(request_id: str, at: int, owner: str, tenant: str, messages: bytes) -> Statement:
    """Keeps the messages of a request, as JSON."""
    return sql.PROMPT, (request_id, at, owner, tenant, messages.decode())


async def sweep(tables: Tables, before: int) -> bool:
    """Drops prompts older than that, at most `SWEEP_ROWS`; whether there may be more."""
    [rows] = await tables.batch((sql.SWEEP, (before, SWEEP_ROWS)))
    return len(rows) == SWEEP_ROWS


async def forget(tables: Tables, tenant: str, owner: str = "") -> int:
    """Drops all prompts of a tenant, or of one owner in it; how many there were."""
    found = 0
    while True:
        [rows] = await tables.batch((sql.FORGET, (tenant, owner, SWEEP_ROWS)))
        found += len(rows)
        if len(rows) < SWEEP_ROWS:
            return found


def _line(row: Row, agreed: Container[str]) -> Line:
    (
        at, request_id, owner, route, target, asked, cached, write, answered, nanos, cache, record, tenant, messages,
    ) = row  # fmt: skip
    decided: Mapping[str, Any] = msgspec.json.decode(record) if record else {}
    reason = decided.get("reason", "")
    return Line(
        time=days.iso(int(at)),
        id=request_id,
        caller=sha256(owner.encode()).hexdigest()[:_HASH_DIGITS],
        key=decided.get("cache_key", ""),
        model=decided.get("asked", ""),
        route=route,
        target=target,
        complexity=reason if reason in CLASSES else "",
        input_tokens=int(asked),
        cached_input_tokens=int(cached),
        cache_write_tokens=int(write),
        output_tokens=int(answered),
        cached=cache == "hit",
        cost_nanos=int(nanos),
        messages=msgspec.json.decode(messages) if messages and tenant in agreed else None,
    )
