"""Exports on every Tables: all tables, whole and by spans, over the ends of pages."""

from __future__ import annotations

import json

import pytest

from penstock.ledger import days, exports
from penstock.ledger import sql as ledger
from penstock.ledger.logins import Whence, login
from penstock.ports import Tables
from tests.contract.test_rollups import NOW


async def exported(tables: Tables, name: str, span: exports.Span | None = None) -> list[dict[str, object]]:  # fmt: skip
    parts = [part async for part in exports.Export(tables, name, "json", span)]
    found: list[dict[str, object]] = json.loads(b"".join(parts))
    return found


async def test_each_table_whole_and_by_spans(books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PAGE", 3)
    rows = [login("a", Whence(f"r{n}", NOW + n, "::1"), success=True) for n in range(8)]
    counts = [(ledger.COUNT_CACHE, (days.day(NOW + n * days.DAY_MS), "chat", n, 0)) for n in range(8)]  # fmt: skip
    await books.batch(*rows, *counts)
    for name, table in exports.sql.TABLES.items():
        whole = await exported(books, name)
        if table.time:
            assert await exported(books, name, (0, NOW + 10**12)) == whole
            assert await exported(books, name, (0, 1)) == []
            after = await books.rows(exports.sql.FIRST[name, True], *exports.bounds(table, (0, NOW)), 1)  # fmt: skip
            assert len(after) <= 1
    assert [row["id"] for row in await exported(books, "logins", (NOW + 1, NOW + 6))] == [f"r{n}" for n in range(1, 6)]  # fmt: skip
    day = NOW // days.DAY_MS * days.DAY_MS
    spanned = await exported(books, "cache_counts", (day + days.DAY_MS, day + 3 * days.DAY_MS))
    assert [row["hits"] for row in spanned] == [1, 2]
