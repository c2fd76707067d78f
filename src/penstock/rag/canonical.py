"""The canonical text of a document, built block by block and bounded as it grows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from penstock.ports import MOST_CHARACTERS, MOST_PAGES, DocumentKind, Text
from penstock.rag.reasons import unreadable

MOST_TITLE = 300
DEEPEST_HEADING = 6
DEEPEST_ITEM = 8

_BREAKS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_GONE = re.compile("[\0-\x08\x0e-\x1f\x7f-\x9f\xad\ufdd0-\ufdef\ufeff\ufffe\uffff\ud800-\udfff]")
_MARKS = re.compile("^(?:#{1,6}(?= |$)|`{3}|~{3})", re.MULTILINE)
_FENCES = re.compile("^`{3,}", re.MULTILINE)
MOST_FENCE = 20


def clean(text: str) -> str:
    """Without control characters, soft hyphens and what is no character; lines end with a newline alone."""
    return _GONE.sub("", _BREAKS.sub("\n", text))


def line(text: str) -> str:
    """On one line, words with one space between."""
    return " ".join(clean(text).split())


def lines(text: str) -> str:
    """Its lines, each by itself without spaces around, and no empty ones."""
    return "\n".join(filter(None, map(line, clean(text).split("\n"))))


class Writer:
    """Takes a document's blocks in order; raises Unreadable where they become too many."""

    def __init__(self, most: int = MOST_CHARACTERS) -> None:
        self._most = most
        self._parts: list[str] = []
        self._size = 0
        self._pages: list[int] = []
        self._opened = 0
        self._before = ""
        self.title = ""

    def page(self) -> None:
        """What comes next is on a new page."""
        if len(self._pages) + self._opened >= MOST_PAGES:
            raise unreadable("document_too_many_pages")
        self._opened += 1
        self._before = ""

    def name(self, title: str) -> None:
        """The document's title: the first that is told counts."""
        self.title = self.title or line(title[: 10 * MOST_TITLE])[:MOST_TITLE]

    def heading(self, level: int, text: str) -> None:
        told = line(text)
        if told:
            self._block(f"{'#' * max(1, min(level, DEEPEST_HEADING))} {told}")

    def paragraph(self, text: str) -> None:
        """A line that would be read as a heading or a fence has a backslash before it."""
        self._block(_MARKS.sub(r"\\\g<0>", lines(text)))

    def item(self, depth: int, text: str) -> None:
        """One of a list, `depth` lists deep (0: the outermost)."""
        told = line(text)
        if told:
            self._block(f"{'  ' * min(depth, DEEPEST_ITEM)}- {told}", "item")

    def code(self, text: str, language: str = "") -> None:
        told = clean(text).strip("\n").rstrip()
        if told:
            ticks = max(map(len, _FENCES.findall(told)), default=2) + 1
            fence = "`" * min(ticks, MOST_FENCE)
            self._block(f"{fence}{language}\n{told}\n{fence}")

    def table(self, rows: Iterable[Sequence[str]]) -> None:
        """The first row with something in it is the heading; empty rows are left out."""
        self._before = ""
        wide = 0
        for row in rows:
            cells = [line(cell).replace("|", "\\|") for cell in row]
            if not any(cells):
                continue
            self._block(f"| {' | '.join(cells)} |", "row")
            if not wide:
                wide = len(cells)
                self._block(f"| {' | '.join(['---'] * wide)} |", "row")
        self._before = ""

    def raw(self, text: str) -> None:
        """Text that is as it should stand already, but for control characters."""
        self._block(clean(text).strip("\n").rstrip())

    def text(self, kind: DocumentKind) -> Text:
        """All of it; Unreadable where there is nothing."""
        if not self._parts:
            raise unreadable("document_empty")
        self._begin_pages(self._size)
        return Text(kind, "".join(self._parts), self.title, tuple(self._pages))

    def _block(self, text: str, kind: str = "") -> None:
        """A block after an empty line, or on the next line of its list or table."""
        if not text:
            return
        if self._parts:
            self._add("\n" if kind and kind == self._before else "\n\n")
        self._begin_pages(self._size)
        self._add(text)
        self._before = kind

    def _add(self, text: str) -> None:
        self._size += len(text)
        if self._size > self._most:
            raise unreadable("document_too_long")
        self._parts.append(text)

    def _begin_pages(self, at: int) -> None:
        self._pages += [at] * self._opened
        self._opened = 0
