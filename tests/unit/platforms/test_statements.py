"""The statements that the core sends in batches, judged by what D1 takes of one: it answers with objects, by column."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import apsw
import apsw.ext
import pytest

import penstock
from penstock.platforms.memory import sqlite
from penstock.platforms.migrations import shipped

PACKAGE = Path(penstock.__file__).parent
STATEMENT = re.compile(r"\s*(?:select|insert|update|delete|with)\b", re.IGNORECASE)
MOST_PARAMETERS = 100
MOST_BYTES = 100_000


def statements() -> Iterator[tuple[str, str]]:
    """All constants of the modules that hold the core's SQL."""
    for file in sorted(PACKAGE.rglob("sql.py")):
        module = ".".join(["penstock", *file.relative_to(PACKAGE).with_suffix("").parts])
        if "platforms" not in module:
            for name, text in vars(importlib.import_module(module)).items():
                if name.isupper() and isinstance(text, str) and STATEMENT.match(text):
                    yield f"{module}.{name}", text


STATEMENTS = dict(statements())


@pytest.fixture(scope="module")
def database() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    sqlite.migrate(connection, shipped(), 0)
    return connection


@pytest.mark.parametrize("name", STATEMENTS)
def test_each_statement_fits_d1(database: apsw.Connection, name: str) -> None:
    told = apsw.ext.query_info(database, STATEMENTS[name])
    columns = [column for column, _ in told.description]
    assert len(columns) == len(set(columns))
    assert told.bindings_count <= MOST_PARAMETERS
    assert len(STATEMENTS[name].encode()) <= MOST_BYTES


def test_there_are_statements() -> None:
    assert len({name.rpartition(".")[0] for name in STATEMENTS}) > 1
