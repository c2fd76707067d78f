"""The names of violated constraints, from what SQLite says of them: for each home whose tables are SQLite's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

NAMED = re.compile(r"constraint\s+(\w+)\s+(?:primary\s+key|unique)\s*\(([^)]*)\)", re.IGNORECASE)

TABLES = "select name, sql from sqlite_schema where type = 'table'"
INDEXED = """
select t.name, i.name, i.origin, c.name
from sqlite_schema t, pragma_index_list(t.name) i, pragma_index_info(i.name) c
where t.type = 'table' and substr(t.name, 1, 4) <> '_cf_' and i."unique"
order by t.name, i.seq, c.seqno
"""
KEYS = """
select t.name, c.name from sqlite_schema t, pragma_table_info(t.name) c
where t.type = 'table' and substr(t.name, 1, 4) <> '_cf_' and c.pk
order by t.name, c.pk
"""
ASKED = (TABLES, INDEXED, KEYS)
"""What `unique_names` reads, in its order; D1 keeps tables of its own, which nobody else may ask about."""

Rows = Iterable[tuple[Any, ...]]


def name(text: str, known: Mapping[str, str]) -> str | None:
    """The constraint that `… constraint failed: …` tells of; None where its columns are not among the known."""
    kind, _, what = text.partition(" constraint failed")
    what = what.removeprefix(": ")
    if kind == "NOT NULL":
        return what.replace(".", "_") + "_not_null"
    if kind == "FOREIGN KEY":
        return "foreign_key"
    if kind != "UNIQUE":
        return what or text
    return what[7:-1] if what.startswith("index '") else known.get(what)


def unique_names(tables: Rows, indexed: Rows, keys: Rows) -> dict[str, str]:
    """From `table.column, table.column`, as SQLite names a unique constraint, to its name.

    A constraint without one gets PostgreSQL's: `table_pkey`, `table_column_column_key`.
    """
    names: dict[str, str] = {}
    for table, sql in tables:
        for found, columns in NAMED.findall(sql or ""):
            names[_columns(table, (column.strip() for column in columns.split(",")))] = found
    indexes: dict[tuple[str, str, str], list[str | None]] = {}
    for table, index, origin, column in indexed:
        indexes.setdefault((table, index, origin), []).append(column)
    for (table, index, origin), members in indexes.items():
        own = {"c": index, "pk": f"{table}_pkey"}
        plain = "_".join([table, *(column or "expr" for column in members), "key"])
        names.setdefault(_columns(table, members), own.get(origin, plain))
    primary: dict[str, list[str]] = {}
    for table, column in keys:
        primary.setdefault(table, []).append(column)
    for table, parts in primary.items():
        names.setdefault(_columns(table, parts), f"{table}_pkey")
    return names


def _columns(table: str, columns: Iterable[Any]) -> str:
    return ", ".join(f"{table}.{column}" for column in columns)
