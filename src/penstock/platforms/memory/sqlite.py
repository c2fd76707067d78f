"""What SQLite is to both homes that keep their tables in it.

SQLite numbers the parameters `$1…` in order of first appearance, as the port asks, so statements run as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain

import apsw

from penstock.errors import Conflict, Unavailable
from penstock.platforms import constraints
from penstock.platforms.migrations import Migration, outstanding
from penstock.ports import Row, Statement, Value

OUT_OF_REACH = (
    apsw.BusyError,
    apsw.CantOpenError,
    apsw.CorruptError,
    apsw.FullError,
    apsw.IOError,
    apsw.InterruptError,
    apsw.LockedError,
    apsw.NoMemError,
    apsw.NotADBError,
    apsw.PermissionsError,
    apsw.ProtocolError,
    apsw.ReadOnlyError,
)
"""Failures of the place, not of the statement: the same batch may succeed later."""

INSERT = re.compile(r"(insert into \w+ \([^()]*\)\s*values )\(([^()]*)\)", re.IGNORECASE)
PARAMETER = re.compile(r"\$(\d+)")
INSERT_SIZES = (128, 32, 8, 4, 2, 1)
"""Rows a statement: few sizes, so that their prepared statements stay at hand."""

VERSION = "select coalesce(max(version), 0) from migrations"
RECORD = "insert into migrations (version, name, at) values ($1, $2, $3)"
MIGRATIONS = """
create table if not exists migrations (
  version bigint not null constraint migrations_pkey primary key, name text not null, at bigint not null
)
"""


def query(connection: apsw.Connection, sql: str, args: Sequence[Value]) -> list[Row]:
    """The rows of one statement."""
    return connection.execute(sql, args).fetchall()


def run(connection: apsw.Connection, statements: Sequence[Statement]) -> list[list[Row]]:
    """The rows of each statement, run in the caller's transaction."""
    results: list[list[Row]] = []
    place, end = 0, len(statements)
    while place < end:
        sql = statements[place][0]
        after = place + 1
        while after < end and statements[after][0] == sql:
            after += 1
        if after - place > 1 and plain_insert(sql):
            insert(connection, sql, [args for _, args in statements[place:after]])
            results += ([] for _ in range(place, after))
        else:
            results.extend(
                connection.execute(sql, args).fetchall() for _, args in statements[place:after]
            )
        place = after
    return results


def plain_insert(sql: str) -> bool:
    """Does this statement insert one row of its parameters, and no more?"""
    return _row_form(sql) is not None


def insert(connection: apsw.Connection, sql: str, rows: Sequence[Sequence[Value]]) -> None:
    """Inserts rows by one plain insert, many a statement: a step of SQLite's gives up and asks for
    Python's lock, which on a busy process costs more than the row."""
    place = 0
    for size in INSERT_SIZES:
        while len(rows) - place >= size:
            some = rows[place : place + size]
            connection.execute(_many(sql, size), tuple(chain.from_iterable(some)))
            place += size


@lru_cache(maxsize=256)
def _row_form(sql: str) -> tuple[str, str] | None:
    """A plain insert's beginning and its row's form; None for other statements."""
    found = INSERT.fullmatch(sql.strip())
    if found is None:
        return None
    numbers = [int(number) for number in PARAMETER.findall(found[2])]
    return (found[1], f"({PARAMETER.sub('?', found[2])})") if _in_order(numbers) else None


def _in_order(numbers: Sequence[int]) -> bool:
    return list(numbers) == list(range(1, len(numbers) + 1))


@lru_cache(maxsize=256)
def _many(sql: str, size: int) -> str:
    form = _row_form(sql)
    assert form is not None
    return form[0] + ", ".join([form[1]] * size)


def in_transaction(connection: apsw.Connection, statements: Sequence[Statement]) -> list[list[Row]]:
    """`run` in a transaction of its own: all of it or nothing."""
    connection.execute("begin immediate")
    try:
        results = run(connection, statements)
        connection.execute("commit")
    except BaseException:
        roll_back(connection)
        raise
    return results


def roll_back(connection: apsw.Connection) -> None:
    """Ends a transaction, if there still is one: SQLite ends some by itself."""
    if not connection.get_autocommit():
        connection.execute("rollback")


def migrate(connection: apsw.Connection, steps: Iterable[Migration], now: float) -> list[int]:
    """Brings the tables up to date, all or nothing, and returns the versions it added."""
    connection.execute("begin immediate")
    try:
        connection.execute(MIGRATIONS)
        [(version,)] = connection.execute(VERSION)
        added = outstanding(steps, version)
        for step in added:
            connection.execute(step.sql)
            connection.execute(RECORD, (step.version, step.name, int(now * 1000)))
        connection.execute("commit")
    except BaseException:
        roll_back(connection)
        raise
    return [step.version for step in added]


class Failures:
    """Says SQLite's errors in the port's words: which constraint was violated, or that the place failed."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._names: dict[str, str] = {}

    def translate(self, error: Exception) -> Exception:
        """Conflict, Unavailable, or the error itself where it is a mistake in the statement."""
        if isinstance(error, apsw.ConstraintError):
            return Conflict(self._name(str(error)))
        if isinstance(error, OUT_OF_REACH):
            return Unavailable("The tables cannot be reached or written.")
        return error

    def _name(self, text: str) -> str:
        found = constraints.name(text, self._names)
        if found is None:
            self._names = unique_names(self._connection)
            found = constraints.name(text, self._names)
        return found or text.partition(": ")[2]


def unique_names(connection: apsw.Connection) -> dict[str, str]:
    """The unique constraints of this database, as `constraints.unique_names` says them."""
    return constraints.unique_names(
        *(connection.execute(sql).fetchall() for sql in constraints.ASKED)
    )
