"""PPTX: a page a slide, its title as a heading, its texts, tables and notes in the order they stand."""

from __future__ import annotations

from penstock.platforms.parse import xml
from penstock.rag import zips
from penstock.rag.canonical import Writer

_TITLES = frozenset(("title", "ctrTitle"))
_FURNITURE = frozenset(("sldNum", "dt", "ftr", "hdr", "sldImg"))
_LEFT_OUT = "Fallback"
_BREAKS = {"br": "\n", "tab": "\t"}


class Slide:
    """One slide, or its notes: a shape's kind is known before its text."""

    def __init__(self, to: Writer) -> None:
        self._to = to
        self._kind = ""
        self._text: list[str] = []
        self._lines: list[str] = []
        self._in_text = False
        self._left_out = 0
        self._rows: list[list[str]] | None = None

    def start(self, name: str, attributes: xml.Attributes) -> None:
        if self._left_out or name == _LEFT_OUT:
            self._left_out += 1
        elif name == "t":
            self._in_text = True
        elif name == "sp":
            self._kind = ""
        elif name == "ph":
            self._kind = attributes.get("type", "body")
        elif name in _BREAKS:
            self._text.append(_BREAKS[name])
        else:
            self._begin_cell(name)

    def end(self, name: str) -> None:
        if self._left_out:
            self._left_out -= 1
        elif name == "t":
            self._in_text = False
        elif name == "p":
            self._lines.append("".join(self._text))
            self._text = []
        elif name == "tc" and self._rows:
            self._rows[-1].append(" ".join(self._lines))
            self._lines = []
        elif name == "tbl" and self._rows is not None:
            self._to.table(self._rows)
            self._rows = None
        elif name == "txBody" and self._rows is None:
            self._put()

    def data(self, text: str) -> None:
        if self._in_text and not self._left_out:
            self._text.append(text)

    def _begin_cell(self, name: str) -> None:
        if name == "tbl":
            self._rows = []
        elif name == "tr" and self._rows is not None:
            self._rows.append([])

    def _put(self) -> None:
        lines, self._lines = self._lines, []
        if self._kind in _FURNITURE:
            return
        if self._kind in _TITLES:
            self._to.heading(2, " ".join(lines))
            return
        for line in lines:
            self._to.paragraph(line)


def read_pptx(data: bytes, to: Writer) -> None:
    parts = zips.parts(data)
    main = xml.main_part(data, parts)
    to.name(xml.title(data, parts))
    related = xml.relations(data, parts, main)
    for _, attributes, _ in xml.gather(data, parts, main, "sldId"):
        kind, name = related.get(attributes.get(":id", ""), ("", ""))
        to.page()
        if kind == "slide":
            xml.read(data, parts, name, Slide(to))
            _read_notes(data, parts, name, to)


def _read_notes(data: bytes, parts: zips.Parts, slide: str, to: Writer) -> None:
    for kind, name in xml.relations(data, parts, slide).values():
        if kind == "notesSlide":
            xml.read(data, parts, name, Slide(to))
