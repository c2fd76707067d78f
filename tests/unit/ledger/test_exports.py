"""What is exported: all tables and columns that there are, but those that are left out for a reason."""

from __future__ import annotations

import pytest

from penstock.ledger import days
from penstock.ledger.exports import bounds, harmless, sql
from penstock.platforms import memory

SECRETS = frozenset({"hash", "sealed", "body", "signature", "value_bytes", "fingerprint", "prompt", "master", "credential", "features"})  # fmt: skip


async def columns() -> dict[str, set[str]]:
    """Those of each table that the migrations make."""
    tables = memory.platform().tables
    names = await tables.rows("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")  # fmt: skip
    found: dict[str, set[str]] = {}
    for (name,) in names:
        rows = await tables.rows("select name from pragma_table_info($1)", name)
        found[name] = {column for (column,) in rows}
    return found


async def test_each_table_is_exported_or_left_out_for_a_reason() -> None:
    stand = set(await columns())
    assert not sql.TABLES.keys() & sql.NEVER.keys()
    unaccounted = stand - sql.TABLES.keys() - sql.NEVER.keys()
    assert not unaccounted, "name it in ledger/exports/sql.py: in TABLES, or in NEVER with why not"
    assert sql.TABLES.keys() | sql.NEVER.keys() <= stand | {"migrations"}
    assert all(sql.NEVER.values())


async def test_each_column_is_exported_or_left_out_for_a_reason() -> None:
    stand = await columns()
    for name, table in sql.TABLES.items():
        left = {column for of, column in sql.LEFT_OUT if of == name}
        assert not left & set(table.columns), name
        assert set(table.columns) | left == stand[name], name
        assert len(table.columns) == len(set(table.columns)), name
        assert not table.time or table.time in table.columns, name


def test_what_opens_something_is_in_no_export() -> None:
    assert not {column for table in sql.TABLES.values() for column in table.columns} & SECRETS


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1", "'=1"), ("-1", "'-1"), ("\t=1", "'\t'=1"), ("\n", "'\n"), ("a;=1", "a;'=1"), ("a;;+1;@x", "a;;'+1;'@x"),
        ("a\r\n-1", "a\r\n'-1"), ("a\t\uff1d1", "a\t'\uff1d1"), ("a=1, b-2; c", "a=1, b-2; c"), ("", ""), (-1, -1), (None, None),
    ],
)  # fmt: skip
def test_no_cell_is_a_formula_whatever_parts_cells_there(text: object, cell: object) -> None:
    assert harmless(text) == cell


def test_a_span_is_told_as_the_table_counts_time() -> None:
    since = days.parse("2026-11-01T12:00") or 0
    until = days.parse("2026-11-03") or 0
    assert bounds(sql.TABLES["logins"], (since, until)) == (since, until)
    assert bounds(sql.TABLES["allotments"], (since, until)) == ("2026-11-01", "2026-11-03")
    assert bounds(sql.TABLES["allotments"], (since, until + 1)) == ("2026-11-01", "2026-11-04")
