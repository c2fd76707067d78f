"""XLSX by openpyxl, row by row: each sheet a heading and a table, with the values that were last computed."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import date, datetime
from io import BytesIO
from typing import Any

from penstock.rag import zips
from penstock.rag.canonical import Writer
from penstock.rag.reasons import unreadable

_NOT_NEEDED = ("numpy", "lxml", "PIL", "pandas")
"""What openpyxl takes along where it is installed."""
_DECLARATIONS = tuple("<!DOCTYPE".encode(codec) for codec in ("utf-8", "utf-16-le", "utf-16-be"))
_OVERLAP = 20
"""Bytes of the piece before, in which a declaration may begin."""
_XML = (".xml", ".rels", ".vml")


def load_openpyxl() -> Callable[..., Any]:
    """Its reader, alone; raises ImportError where it is not installed."""
    for name in _NOT_NEEDED:
        sys.modules[name] = None  # type: ignore[assignment]  # the documented way to have an import fail
    warnings.simplefilter("ignore")
    import openpyxl

    load: Callable[..., Any] = openpyxl.load_workbook
    return load


def read_xlsx(data: bytes, to: Writer, load: Callable[..., Any]) -> None:
    _check(data)
    book = load(BytesIO(data), read_only=True, data_only=True, keep_links=False)
    to.name(book.properties.title or "")
    for sheet in book.worksheets:
        rows = _rows(sheet)
        first = next(rows, None)
        if first is not None:
            to.heading(2, sheet.title)
            to.table(_and(first, rows))


def _and(first: list[str], rows: Iterator[list[str]]) -> Iterator[list[str]]:
    yield first
    yield from rows


def _check(data: bytes) -> None:
    """Every part is as large as it says, and none declares what another reader would expand or fetch."""
    for name, part in zips.parts(data).items():
        before = b""
        for piece in zips.unpack(data, part):
            if name.endswith(_XML) and any(each in before + piece for each in _DECLARATIONS):
                raise unreadable("document_unsafe")
            before = piece[-_OVERLAP:]


def _rows(sheet: Any) -> Iterator[list[str]]:
    """The rows with something in them."""
    sheet.reset_dimensions()
    for row in sheet.iter_rows(values_only=True):
        cells = [_shown(value) for value in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield cells


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, datetime):
        day = not (value.hour or value.minute or value.second)
        return value.date().isoformat() if day else value.isoformat(" ", "seconds")
    return value.isoformat() if isinstance(value, date) else str(value)
