"""Whole tables as CSV or JSON, a page of rows at a time, whatever their length."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal

import msgspec

from penstock.errors import BadRequest
from penstock.ledger import days
from penstock.ledger.exports import sql
from penstock.ports import Row, Tables, Value

Format = Literal["csv", "json"]
FORMATS: tuple[Format, ...] = ("csv", "json")
TABLES = tuple(sql.TABLES)
Span = tuple[int, int]
PAGE = 1_000
_TRICKS = "=+@\uff1d\uff0b\uff0d\uff20\\-"
FORMULA = re.compile(rf"^(?=[{_TRICKS}\t\r\n])|(?<=[;\t\r\n])(?=[{_TRICKS}])")
"""Where a spreadsheet takes a text for a formula, also in the wide letters that some take for the same; and within it after
what parts cells or lines where a comma does not, as in much of Europe."""

_encode = msgspec.json.Encoder().encode


class Export:
    """The bytes of one table, in order of its key. Rows that are written meanwhile may be in it or not."""

    def __init__(self, tables: Tables, name: str, form: Format, span: Span | None = None) -> None:
        """Of rows in [since, until) ms, or of all; raises BadRequest where there is no such table, or its rows have no time."""
        if name not in sql.TABLES:
            raise BadRequest(
                f"There is no table of that name to export; there are {', '.join(TABLES)}.",
                code="invalid_field",
                param="table",
            )
        self._tables, self._name, self._form = tables, name, form
        self._table = sql.TABLES[name]
        if span is not None and not self._table.time:
            raise BadRequest(
                "The rows of that table have no time: leave 'from' and 'to' out.",
                code="invalid_field",
                param="from",
            )
        self._span = () if span is None else bounds(self._table, span)
        self._after: Row | None = None
        self._begun = self._done = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._done:
            raise StopAsyncIteration
        rows = await self._page()
        first, self._begun = not self._begun, True
        self._done = len(rows) < PAGE
        if rows:
            self._after = rows[-1][: len(self._table.key)]
        write = self._csv if self._form == "csv" else self._json
        return write(rows, first)

    async def aclose(self) -> None:
        self._done = True

    async def _page(self) -> Sequence[Row]:
        which = self._name, bool(self._span)
        if self._after is None:
            return await self._tables.rows(sql.FIRST[which], *self._span, PAGE)
        return await self._tables.rows(sql.NEXT[which], *self._span, *self._after, PAGE)

    def _csv(self, rows: Sequence[Row], first: bool) -> bytes:
        out = io.StringIO(newline="")
        writer = csv.writer(out)
        if first:
            writer.writerow(self._table.columns)
        writer.writerows([harmless(value) for value in row] for row in rows)
        return out.getvalue().encode("utf-8", "replace")

    def _json(self, rows: Sequence[Row], first: bool) -> bytes:
        names = self._table.columns
        told = b",\n".join(_encode(dict(zip(names, row, strict=True))) for row in rows)
        head = b"[" if first else b",\n" if told else b""
        return head + told + (b"]\n" if self._done else b"")


def bounds(table: sql.Table, span: Span) -> tuple[Value, Value]:
    """A span as the table counts time: of UTC days those that it touches."""
    since, until = span
    if table.kind == "ms":
        return since, until
    return days.day(since), days.day(until - 1 + days.DAY_MS)


def harmless(value: Any) -> Any:
    """A cell that no spreadsheet runs: an apostrophe stands where a formula would begin; numbers are as they are."""
    return FORMULA.sub("'", value) if isinstance(value, str) else value
