"""A paper set on pages: what it says flows down A4, tables repeat their heads, and each page says its number."""

from __future__ import annotations

import io
from collections.abc import Iterator
from html import escape
from typing import Any

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import CondPageBreak, Flowable, KeepTogether, SimpleDocTemplate, Spacer

from penstock.platforms.pdf import parts
from penstock.platforms.pdf.fonts import Fonts, fonts
from penstock.platforms.pdf.parts import Styles
from penstock.wire.paper import Block, Chart, Figures, Paper, Prose, Section, Table

SIDE, TOP, FOOT = 14 * mm, 15 * mm, 18 * mm
WIDTH = A4[0] - 2 * SIDE
INSET = 6
"""What the library leaves free inside its frames."""
LEAST = 90
"""Points that must be left for a table to begin on the page."""
TITLED = 40
"""And as many more for a title above it."""

LONGEST_FOOT = 80
"""Characters of the title at a page's foot, beside its number."""


def pdf(paper: Paper, font: str = "") -> bytes:
    """The same bytes for the same paper, font and library: no time of making is in it."""
    letters = fonts(font)
    styles = parts.styles(letters)
    out = io.BytesIO()
    made = SimpleDocTemplate(
        out, pagesize=A4, leftMargin=SIDE - INSET, rightMargin=SIDE - INSET, topMargin=TOP, bottomMargin=FOOT,
        title=letters.told(paper.title), author="Penstock", lang="en", invariant=1,
    )  # fmt: skip
    made.build(list(_flow(paper, letters, styles)), canvasmaker=_numbered(letters, paper.title))
    return out.getvalue()


def _flow(paper: Paper, letters: Fonts, styles: Styles) -> Iterator[Flowable]:
    yield _said(paper.title, "title", letters, styles)
    yield _said(paper.about, "about", letters, styles)
    for section in paper.sections:
        yield from _section(section, letters, styles)


def _section(section: Section, letters: Fonts, styles: Styles) -> Iterator[Flowable]:
    yield CondPageBreak(LEAST + TITLED)
    first, *others = section.blocks
    yield from _kept(first, [parts.Title(letters.told(section.title), styles), *_block(first, letters, styles)])  # fmt: skip
    for block in others:
        yield from _kept(block, _block(block, letters, styles))


def _kept(block: Block, made: list[Flowable]) -> list[Flowable]:
    """A title does not stand alone at a page's end, and a table need not stand on one page."""
    return made if isinstance(block, Table) else [KeepTogether(made)]


def _block(block: Block, letters: Fonts, styles: Styles) -> list[Flowable]:
    match block:
        case Prose():
            return [_said(block.text, "body", letters, styles)]
        case Figures():
            return [parts.tiles(block, WIDTH, letters, styles), Spacer(1, 4)]
        case Table():
            return [
                CondPageBreak(LEAST),
                _said(block.caption, "caption", letters, styles),
                parts.table(block, WIDTH, letters, styles),
                Spacer(1, 8),
            ]
        case Chart():
            drawn = parts.Drawn(block, WIDTH, letters)
            return [_said(block.title, "caption", letters, styles), drawn, Spacer(1, 6)]


def _said(text: str, style: str, letters: Fonts, styles: Styles) -> Flowable:
    return parts.words(escape(letters.told(text)), styles[style])


def _numbered(letters: Fonts, title: str) -> type[Canvas]:
    """A canvas that writes `2 of 5` on each page, once it knows how many there are."""

    class Numbered(Canvas):  # type: ignore[misc]  # the library has no types
        def __init__(self, *args: Any, **named: Any) -> None:
            super().__init__(*args, **named)
            self._pages: list[dict[str, Any]] = []

        def showPage(self) -> None:  # the library's name
            self._pages.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for number, page in enumerate(self._pages, 1):
                self.__dict__.update(page)
                self.setFont(letters.plain, 7.5)
                self.setFillColor(parts.FAINT)
                self.drawString(SIDE, 10 * mm, letters.told(title)[:LONGEST_FOOT])
                self.drawRightString(A4[0] - SIDE, 10 * mm, f"{number} of {len(self._pages)}")
                super().showPage()
            super().save()

    return Numbered
