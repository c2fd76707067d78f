"""Bringing tables up to date."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from penstock.errors import Misconfigured
from penstock.platforms.memory import sqlite
from penstock.platforms.migrations import Migration, read, shipped

ONE = Migration(1, "one", "create table a (x bigint);")
TWO = Migration(2, "two", "alter table a add column y bigint; create table b (z bigint);")
BROKEN = Migration(2, "broken", "create table b (z bigint); create table a (x bigint);")


@pytest.fixture
def connection() -> apsw.Connection:
    return apsw.Connection(":memory:")


def tables(connection: apsw.Connection) -> set[str]:
    found = connection.execute("select name from sqlite_schema where type = 'table'")
    return {str(name) for (name,) in found}


def test_each_step_is_taken_once(connection: apsw.Connection) -> None:
    assert sqlite.migrate(connection, [ONE], 5.5) == [1]
    assert sqlite.migrate(connection, [ONE, TWO], 6.5) == [2]
    assert sqlite.migrate(connection, [ONE, TWO], 7.5) == []
    assert tables(connection) == {"migrations", "a", "b"}
    taken = connection.execute("select version, name, at from migrations").fetchall()
    assert taken == [(1, "one", 5500), (2, "two", 6500)]


def test_a_step_that_fails_leaves_all_as_it_was(connection: apsw.Connection) -> None:
    sqlite.migrate(connection, [ONE], 0)
    with pytest.raises(apsw.SQLError):
        sqlite.migrate(connection, [ONE, BROKEN], 0)
    assert tables(connection) == {"migrations", "a"}
    assert sqlite.migrate(connection, [ONE, TWO], 0) == [2]


def test_newer_tables_are_left_alone(connection: apsw.Connection) -> None:
    sqlite.migrate(connection, [ONE, TWO], 0)
    with pytest.raises(Misconfigured, match="migration 2, this one knows 1"):
        sqlite.migrate(connection, [ONE], 0)


def test_steps_are_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "0002_b.sql").write_text("select 2;")
    (tmp_path / "0001_a.sql").write_text("select 1;")
    (tmp_path / "__init__.py").write_text("")
    assert [(step.version, step.name) for step in read(tmp_path)] == [(1, "a"), (2, "b")]


@pytest.mark.parametrize("names", [["0002_a.sql"], ["0001_a.sql", "0001_b.sql"]])
def test_numbers_without_gaps(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("")
    with pytest.raises(ValueError, match="not numbered"):
        read(tmp_path)


def test_what_is_shipped_runs(connection: apsw.Connection) -> None:
    steps = shipped()
    assert sqlite.migrate(connection, steps, 0) == [step.version for step in steps]
    assert {"ledger", "generations"} <= tables(connection)
