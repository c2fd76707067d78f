"""HTML as text: headings, paragraphs, lists, tables and code as Markdown; nothing is fetched, and scripts are left out.

By the standard library's own tokeniser, so that Workers read it too. It keeps no tree: nesting costs nothing.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

from penstock.rag.canonical import Writer

Attributes = list[tuple[str, str | None]]

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "body", "center", "dd", "details", "dialog", "div", "dl", "dt",
    "fieldset", "figcaption", "figure", "footer", "form", "header", "hgroup", "hr", "html", "legend", "main",
    "nav", "p", "section", "summary",
))  # fmt: skip
_UNSEEN = frozenset((
    "script", "style", "template", "svg", "math", "iframe", "object", "audio", "video", "canvas", "noembed",
    "noframes", "select",
))  # fmt: skip
_LISTS = frozenset(("ul", "ol", "menu", "dir"))
_ROWS = frozenset(("tr", "thead", "tbody", "tfoot", "caption"))
_CELLS = frozenset(("td", "th"))
_ENDING = _BLOCKS | _LISTS | {*_HEADINGS, "li"}
_SPACE = re.compile(r"\s+")
_LANGUAGE = re.compile(r"\b(?:language|lang|highlight-source)-([\w+#.-]{1,30})")


class Reader(HTMLParser):
    """Feeds a Writer. `skipped` is the element that is left out with all in it, and how deep in others of its name."""

    def __init__(self, to: Writer) -> None:
        super().__init__(convert_charrefs=True)
        self._to = to
        self._text: list[str] = []
        self._heading = 0
        self._item = False
        self._lists = 0
        self._skipped = ("", 0)
        self._code = 0
        self._language = ""
        self._tables = 0
        self._rows: list[list[str]] = []
        self._titled = False

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        if self._skipping(tag, 1):
            return
        if tag in _UNSEEN:
            self._skipped = (tag, 1)
        elif tag == "br":
            self._text.append("\n")
        elif tag == "title" and not self._tables:
            self._flush()
            self._titled = True
        elif tag in ("pre", "code"):
            self._begin_code(tag, attrs)
        elif not self._code:
            self._begin_block(tag)

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:
        """An element that says it is empty, as XHTML may: nothing stays open for it."""
        if tag == "br" or tag in _BLOCKS or tag in _CELLS or tag in _ROWS:
            self.handle_starttag(tag, attrs)

    def parse_marked_section(self, i: int, report: int = 1) -> int:
        """`<![CDATA[…]]>` is text, as in XHTML, and others are comments; the library's own raises there."""
        if not self.rawdata.startswith("<![CDATA[", i):
            return self.parse_bogus_comment(i)
        end = self.rawdata.find("]]>", i)
        if end >= 0:
            self.handle_data(self.rawdata[i + 9 : end])
        return end + 3 if end >= 0 else -1

    def handle_endtag(self, tag: str) -> None:
        if self._skipping(tag, -1):
            return
        if tag == "title" and self._titled:
            self._titled = False
            self._to.name("".join(self._text))
            self._text.clear()
        elif tag == "pre" and self._code:
            self._end_code()
        elif not self._code:
            self._end_block(tag)

    def handle_data(self, data: str) -> None:
        if not self._skipped[0]:
            self._text.append(data if self._code else _SPACE.sub(" ", data))

    def finish(self) -> None:
        """What stands after the last end of an element."""
        self.close()
        if self._code:
            self._end_code()
        if self._tables:
            self._tables = 1
            self._end_table()
        self._flush()

    def _skipping(self, tag: str, step: int) -> bool:
        skipped, depth = self._skipped
        if skipped and tag == skipped:
            depth += step
            self._skipped = (skipped, depth) if depth else ("", 0)
        return bool(skipped)

    def _begin_code(self, tag: str, attrs: Attributes) -> None:
        if tag == "pre":
            if not self._code and not self._tables:
                self._flush()
                self._language = ""
            self._code += not self._tables
        if self._code:
            told = _LANGUAGE.search(
                " ".join(value or "" for name, value in attrs if name == "class")
            )
            self._language = self._language or (told[1] if told else "")

    def _end_code(self) -> None:
        self._code = 0
        self._to.code("".join(self._text), self._language)
        self._text.clear()

    def _begin_block(self, tag: str) -> None:
        if tag == "table":
            if not self._tables:
                self._flush()
            self._tables += 1
        elif self._tables:
            self._begin_cell(tag)
        elif tag in _ENDING:
            self._flush()
            self._heading = _HEADINGS.get(tag, self._heading if tag in _BLOCKS else 0)
            self._item = tag == "li" or (self._item and tag in _BLOCKS)
            self._lists += tag in _LISTS

    def _end_block(self, tag: str) -> None:
        if self._tables:
            self._text.append(" " if tag in _ENDING else "")
            if tag == "table":
                self._end_table()
        elif tag in _ENDING:
            self._flush()
            if tag in _HEADINGS or tag == "li":
                self._heading, self._item = 0, False
            self._lists = max(0, self._lists - (tag in _LISTS))

    def _begin_cell(self, tag: str) -> None:
        """A row or cell of the outermost table; what is in a table in a table stays in its cell."""
        if tag in _ENDING or self._tables > 1:
            self._text.append(" " if tag in _ENDING or tag in _CELLS else "")
        elif tag in _CELLS or tag in _ROWS:
            self._end_cell()
            if tag in _ROWS or not self._rows:
                self._rows.append([])
            if tag in _CELLS:
                self._rows[-1].append("")

    def _end_cell(self) -> None:
        text = "".join(self._text)
        self._text.clear()
        if text.strip():
            self._rows = self._rows or [[]]
            self._rows[-1] = self._rows[-1] or [""]
            self._rows[-1][-1] += text

    def _end_table(self) -> None:
        self._tables -= 1
        if self._tables:
            return
        self._end_cell()
        rows, self._rows = [row for row in self._rows if row], []
        widest = max(map(len, rows), default=0)
        while rows and (widest == 1 or len(rows[0]) < min(2, widest)):
            self._to.paragraph(rows.pop(0)[0])
        self._to.table(rows)

    def _flush(self) -> None:
        """The block that ends here, if there is one."""
        text = "".join(self._text)
        self._text.clear()
        if not text.strip():
            return
        if self._heading:
            self._to.heading(self._heading, text)
        elif self._item:
            self._to.item(self._lists - 1, text)
        else:
            self._to.paragraph(text)
        self._heading, self._item = 0, False


def read_html(text: str, to: Writer) -> None:
    reader = Reader(to)
    reader.feed(text)
    reader.finish()
