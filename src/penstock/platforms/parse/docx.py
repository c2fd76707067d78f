"""DOCX: paragraphs by their styles as headings, lists and code, tables, and the notes at the end."""

from __future__ import annotations

import re

from penstock.platforms.parse import xml
from penstock.rag import zips
from penstock.rag.canonical import DEEPEST_ITEM, Writer

_HEADING = re.compile(r"heading\s*([1-9])$", re.IGNORECASE)
_CODE = re.compile(r"code|preformatted|listing", re.IGNORECASE)
_OUTLINE_NONE = 9
_BREAKS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_LISTED = frozenset(("numPr", "ilvl", "numId"))
_LEFT_OUT = frozenset(("Fallback", "moveFrom", "del", "instrText", "tabs"))


class Style:
    """What a paragraph style says: its heading's level (0: none), how deep in lists it is (-1: in none), and whether it is code."""

    def __init__(self, name: str = "") -> None:
        told = _HEADING.match(name)
        self.level = int(told[1]) if told else int(name.lower() == "title")
        self.code = bool(_CODE.search(name))
        self.item = -1
        self.based = ""


def item(name: str, value: str, before: int) -> int:
    """How deep in lists it is after this element of its numbering."""
    if name == "numPr":
        return 0
    if name == "ilvl" and value.isdigit():
        return min(int(value), DEEPEST_ITEM)
    return -1 if value == "0" else before


class Styles:
    """word/styles.xml: the paragraph styles by id."""

    def __init__(self) -> None:
        self.found: dict[str, Style] = {}
        self._id = ""

    def start(self, name: str, attributes: xml.Attributes) -> None:
        value = attributes.get("val", "")
        if name == "style":
            self._id = attributes.get("styleId", "")
            self.found[self._id] = Style()
        elif self._id and name == "name":
            self.found[self._id] = Style(value)
        elif self._id and name == "basedOn":
            self.found[self._id].based = value
        elif self._id and name == "outlineLvl" and value.isdigit() and int(value) < _OUTLINE_NONE:
            style = self.found[self._id]
            style.level = style.level or int(value) + 1
        elif self._id and name in _LISTED:
            style = self.found[self._id]
            style.item = item(name, value, style.item)

    def end(self, name: str) -> None:
        if name == "style":
            self._id = ""

    def data(self, text: str) -> None: ...

    def get(self, name: str) -> Style:
        """By its id; what it does not say, those say that it is based on."""
        style = self.found.get(name, Style())
        for _ in range(10):
            if style.level or style.code or style.item >= 0 or style.based not in self.found:
                break
            style = self.found[style.based]
        return style


class Paragraph:
    """One on its way."""

    def __init__(self) -> None:
        self.style = ""
        self.level = 0
        self.item: int | None = None
        self.text: list[str] = []


class Body:
    """word/document.xml, or the notes. A text box is a paragraph in a paragraph; a table in a table stays in its cell."""

    def __init__(self, to: Writer, styles: Styles) -> None:
        self._to = to
        self._styles = styles
        self._open: list[Paragraph] = []
        self._in_text = False
        self._left_out = 0
        self._tables = 0
        self._rows: list[list[list[str]]] = []
        self._code: list[str] = []

    def start(self, name: str, attributes: xml.Attributes) -> None:
        if self._left_out or name in _LEFT_OUT:
            self._left_out += 1
        elif name == "t":
            self._in_text = True
        elif name == "p":
            self._open.append(Paragraph())
        elif name in _BREAKS and self._open:
            self._open[-1].text.append(_BREAKS[name])
        elif name in ("tbl", "tr", "tc"):
            self._begin_cell(name)
        elif self._open:
            self._describe(name, attributes.get("val", ""))

    def end(self, name: str) -> None:
        if self._left_out:
            self._left_out -= 1
        elif name == "t":
            self._in_text = False
        elif name == "p" and self._open:
            self._put(self._open.pop())
        elif name == "tbl":
            self._tables -= 1
            if not self._tables:
                self._to.table([" ".join(cell) for cell in row] for row in self._rows)
                self._rows = []

    def data(self, text: str) -> None:
        if self._in_text and self._open and not self._left_out:
            self._open[-1].text.append(text)

    def finish(self) -> None:
        self._end_code()

    def _describe(self, name: str, value: str) -> None:
        paragraph = self._open[-1]
        if name == "pStyle":
            paragraph.style = value
        elif name == "outlineLvl" and value.isdigit():
            paragraph.level = (int(value) + 1) % (_OUTLINE_NONE + 1)
        elif name in _LISTED:
            paragraph.item = item(name, value, paragraph.item or 0)

    def _begin_cell(self, name: str) -> None:
        if name == "tbl":
            self._end_code()
            self._tables += 1
        elif self._tables == 1 and name == "tr":
            self._rows.append([])
        elif self._tables == 1 and self._rows:
            self._rows[-1].append([])

    def _put(self, paragraph: Paragraph) -> None:
        text = "".join(paragraph.text)
        if self._tables:
            if text.strip() and self._rows and self._rows[-1]:
                self._rows[-1][-1].append(text)
            return
        style = self._styles.get(paragraph.style)
        if style.code and not style.level:
            self._code.append(text)
            return
        self._end_code()
        level = paragraph.level or style.level
        depth = style.item if paragraph.item is None else paragraph.item
        if level:
            self._to.heading(level, text)
        elif depth >= 0:
            self._to.item(depth, text)
        else:
            self._to.paragraph(text)

    def _end_code(self) -> None:
        self._to.code("\n".join(self._code))
        self._code = []


def read_docx(data: bytes, to: Writer) -> None:
    parts = zips.parts(data)
    main = xml.main_part(data, parts)
    to.name(xml.title(data, parts))
    related = xml.relations(data, parts, main).values()
    styles = Styles()
    for kind, name in related:
        if kind == "styles":
            xml.read(data, parts, name, styles)
    bodies = [main, *(name for kind, name in related if kind in ("footnotes", "endnotes"))]
    for name in bodies:
        body = Body(to, styles)
        xml.read(data, parts, name, body)
        body.finish()
