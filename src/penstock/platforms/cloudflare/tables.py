"""Tables in D1."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from penstock.errors import Conflict, Unavailable, Unheard
from penstock.platforms import constraints
from penstock.platforms.cloudflare import values
from penstock.ports import Row, Statement, Value

VIOLATED = re.compile(r"D1_ERROR: ([A-Z ]+ constraint failed.*?)(?:: SQLITE_CONSTRAINT.*)?$")
MISTAKEN = re.compile(r"SQLITE_ERROR|D1_TYPE_ERROR|D1_COLUMN_NOTFOUND")
"""What is wrong with the statement, so that it can never succeed."""


class Answered(msgspec.Struct):
    """D1's answer to one statement of a batch, as far as it matters here."""

    results: list[dict[str, Any]] = []


_ROWS = msgspec.json.Decoder(list[list[Any]])
_ANSWERS = msgspec.json.Decoder(list[Answered])


class CloudflareTables:
    """One D1 database, for one request: its batches are sent one after another, so they take effect in that order
    (one that its caller left is not waited for).

    D1 answers a batch with objects: the columns of a RETURNING or SELECT in a batch need names that differ.
    """

    def __init__(self, database: Any) -> None:
        self._database = database
        self._names: dict[str, str] = {}
        self._turn = asyncio.Lock()

    async def rows(self, sql: str, *args: Value) -> Sequence[Row]:
        try:
            return await self._read(sql, args)
        except values.JsException as error:
            raise await self._translate(error) from error

    async def batch(self, *statements: Statement) -> Sequence[Sequence[Row]]:
        if not statements:
            return []
        prepared = values.array(self._prepare(sql, args) for sql, args in statements)
        try:
            async with self._turn:
                answer = await self._database.batch(prepared)
        except values.JsException as error:
            found = await self._translate(error)
            # It was sent: what became of it nobody knows.
            raise (Unheard() if isinstance(found, Unavailable) else found) from error
        answers = _ANSWERS.decode(values.text(answer))
        return [[_row(list(found.values())) for found in one.results] for one in answers]

    def _prepare(self, sql: str, args: Sequence[Value]) -> Any:
        statement = self._database.prepare(sql)
        return statement.bind(*map(values.value, args)) if args else statement

    async def _read(self, sql: str, args: Sequence[Value]) -> list[Row]:
        found = await self._prepare(sql, args).raw()
        return [_row(row) for row in _ROWS.decode(values.text(found))]

    async def _translate(self, error: Exception) -> Exception:
        """Conflict, Unavailable, or the error itself where it is a mistake in the statement."""
        said = str(error)
        violated = VIOLATED.search(said)
        if violated is not None:
            return Conflict(await self._name(violated[1]))
        if MISTAKEN.search(said):
            return error
        return Unavailable("The tables cannot be reached or written.")

    async def _name(self, violated: str) -> str:
        found = constraints.name(violated, self._names)
        if found is None:
            try:
                asked = [await self._read(sql, ()) for sql in constraints.ASKED]
            except values.JsException as error:
                raise Unavailable("The tables cannot be reached or written.") from error
            self._names = constraints.unique_names(*asked)
            found = constraints.name(violated, self._names)
        return found or violated.partition(": ")[2]


def _row(found: Sequence[Any]) -> Row:
    return tuple(map(values.plain, found))
