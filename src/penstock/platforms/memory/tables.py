"""Tables in this process: SQLite in memory, on the event loop's own thread."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import apsw

from penstock.platforms.memory import sqlite
from penstock.platforms.migrations import Migration
from penstock.ports import Row, Statement, Value


class MemoryTables:
    """A new database with these migrations; a batch runs from start to end without a wait."""

    def __init__(self, migrations: Iterable[Migration], now: float = 0.0) -> None:
        self._connection = apsw.Connection(":memory:")
        self._connection.pragma("foreign_keys", True)
        sqlite.migrate(self._connection, migrations, now)
        self._failures = sqlite.Failures(self._connection)

    async def rows(self, sql: str, *args: Value) -> Sequence[Row]:
        try:
            return sqlite.query(self._connection, sql, args)
        except apsw.Error as error:
            raise self._failures.translate(error) from error

    async def batch(self, *statements: Statement) -> Sequence[Sequence[Row]]:
        try:
            return sqlite.in_transaction(self._connection, statements)
        except apsw.Error as error:
            raise self._failures.translate(error) from error

    def close(self) -> None:
        self._connection.close()
