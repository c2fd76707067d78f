"""The statements that D1 gets, the core's and the edge's own, judged by what it takes of one: it answers with objects, by column."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import apsw
import apsw.ext
import pytest

import penstock
from penstock.platforms import constraints
from penstock.platforms.cloudflare import probes_sql
from penstock.platforms.cloudflare import sql as object_sql
from penstock.platforms.memory import sqlite
from penstock.platforms.migrations import shipped

EDGE = "penstock.platforms.cloudflare"
WRANGLERS = "create table d1_migrations (id integer primary key, name text unique, applied_at text)"
PACKAGE = Path(penstock.__file__).parent
STATEMENT = re.compile(r"\s*(?:select|insert|update|delete|with)\b", re.IGNORECASE)
FROM = re.compile(r"\b(?:from|into|update|set)\b", re.IGNORECASE)
MOST_PARAMETERS = 100
MOST_BYTES = 100_000


def statements() -> Iterator[tuple[str, str]]:
    """All constants of the modules that hold the core's SQL, and all of the edge's."""
    for file in sorted(PACKAGE.rglob("sql.py")):
        if "platforms" not in file.parts:
            yield from constants(".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts))
    for file in sorted((PACKAGE / "platforms" / "cloudflare").glob("*.py")):
        if file.stem not in ("sql", "probes_sql"):  # the objects' own
            for text in written(file):
                yield f"{EDGE}.{file.stem}: {' '.join(text.split())[:60]}", text


def constants(module: str) -> Iterator[tuple[str, str]]:
    for name, text in vars(importlib.import_module(module)).items():
        if name.isupper() and isinstance(text, str) and STATEMENT.match(text):
            yield f"{module}.{name}", text


def written(file: Path) -> Iterator[str]:
    """The statements in a module that cannot be imported here."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and STATEMENT.match(text) and FROM.search(text):
            yield text


STATEMENTS = dict(statements())
OBJECTS = {
    f"{module.__name__}.{name}": text
    for module in (object_sql, probes_sql)
    for name, text in vars(module).items()
    if name.isupper() and name[0] != "_" and isinstance(text, str) and STATEMENT.match(text)
}


@pytest.fixture(scope="module")
def database() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    sqlite.migrate(connection, shipped(), 0)
    connection.execute(WRANGLERS)
    return connection


@pytest.fixture(scope="module")
def storage() -> apsw.Connection:
    """A Durable Object's, which bears as much of a statement as D1 does."""
    connection = apsw.Connection(":memory:")
    for statement in (*object_sql.SCHEMA, *probes_sql.SCHEMA):
        connection.execute(statement)
    return connection


@pytest.mark.parametrize("name", STATEMENTS)
def test_each_statement_fits_d1(database: apsw.Connection, name: str) -> None:
    told = fits(database, STATEMENTS[name])
    columns = [column for column, _ in told.description]
    assert len(columns) == len(set(columns))


@pytest.mark.parametrize("name", OBJECTS)
def test_each_statement_fits_an_object(storage: apsw.Connection, name: str) -> None:
    fits(storage, OBJECTS[name])


@pytest.mark.parametrize("statement", constraints.ASKED)
def test_what_is_read_alone_may_have_columns_of_one_name(
    database: apsw.Connection, statement: str
) -> None:
    fits(database, statement)


def fits(database: apsw.Connection, statement: str) -> apsw.ext.QueryDetails:
    told = apsw.ext.query_info(database, statement)
    assert told.bindings_count <= MOST_PARAMETERS
    assert len(statement.encode()) <= MOST_BYTES
    return told


def test_there_are_statements() -> None:
    assert OBJECTS
    found = {name.partition(":")[0] for name in STATEMENTS}
    assert {f"{EDGE}.index_sql", f"{EDGE}.start", "penstock.ledger.sql.FINAL"} <= found
