"""Texts as they are sent: plain, Markdown, and CSV as one table."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

from penstock.rag.canonical import Writer, clean
from penstock.rag.reasons import unreadable

DELIMITERS = ",;\t|"
_LOOKED_AT = 20
_TITLE = re.compile(r"^#\s+(\S.*?)\s*#*$", re.MULTILINE)
_TITLE_WITHIN = 2_000


def read_text(text: str, to: Writer) -> None:
    to.raw(text)


def read_markdown(text: str, to: Writer) -> None:
    """As it stands; its first heading is its title."""
    title = _TITLE.search(clean(text[:_TITLE_WITHIN]))
    if title:
        to.name(title[1])
    to.raw(text)


def read_csv(text: str, to: Writer) -> None:
    """A table, by the delimiter that makes the first rows alike."""
    text = text.removeprefix("\ufeff").replace("\0", "")
    to.table(_rows(text, delimiter(text)))


def delimiter(text: str) -> str:
    """The one that gives the first lines the most columns of the same number."""
    head = "".join(text[:20_000].splitlines(keepends=True)[:_LOOKED_AT])
    return max(DELIMITERS, key=lambda mark: _alike(head, mark))


def _alike(head: str, mark: str) -> tuple[float, int]:
    widths = [len(row) for row in _rows(head, mark) if row]
    if not widths or widths[0] < 2:
        return 0.0, 0
    return sum(width == widths[0] for width in widths) / len(widths), widths[0]


def _rows(text: str, mark: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(_lines(text), delimiter=mark)
    except csv.Error:
        raise unreadable("document_corrupt") from None


def _lines(text: str) -> Iterator[str]:
    """With their ends, one at a time."""
    at = 0
    while at < len(text):
        end = text.find("\n", at) + 1 or len(text)
        yield text[at:end]
        at = end
