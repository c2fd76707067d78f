"""What a page is made of: words, tiles, tables and charts."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.platypus import Flowable, Paragraph, Spacer
from reportlab.platypus import Table as Grid

from penstock.platforms.pdf.fonts import Fonts
from penstock.wire.paper import Chart, Figure, Figures, Table
from penstock.wire.paper.chart import HEIGHT, LEFT, RIGHT, layout, swatches
from penstock.wire.paper.chart import WIDTH as CHART_WIDTH

INK, FAINT, LINE, TILE = (HexColor(f"#{value}") for value in ("1b1f24", "57606a", "d0d7de", "f6f8fa"))  # fmt: skip
SERIES = tuple(HexColor(f"#{value}") for value in ("0b57b5", "1a7f4b", "a2670a"))
SIZE = 7.5
PAD = 4.0
COLUMNS = 3
"""Tiles side by side."""
LONGEST_CELL = 160
"""Characters of a cell, the numbers of letters that the font lacks included: a row never fills a page, which nothing could part."""
Styles = Mapping[str, ParagraphStyle]


def styles(letters: Fonts) -> Styles:
    """How words look, by what they are."""

    def style(name: str, size: float, *, bold: bool = False, color: Color = INK, **more: Any) -> ParagraphStyle:  # fmt: skip
        font = letters.bold if bold else letters.plain
        return ParagraphStyle(name, fontName=font, fontSize=size, leading=size * 1.3, textColor=color, **more)  # fmt: skip

    return {
        "title": style("title", 17, bold=True, spaceAfter=2),
        "about": style("about", 9, color=FAINT, spaceAfter=4),
        "section": style("section", 12, bold=True),
        "caption": style("caption", 8.5, bold=True, spaceBefore=4, spaceAfter=3),
        "body": style("body", 8.5, spaceAfter=4),
        "label": style("label", 7.5, color=FAINT),
        "value": style("value", 13, bold=True),
        "note": style("note", 7, color=FAINT),
        "cell": style("cell", SIZE),
        "cell-n": style("cell-n", SIZE, alignment=2),
        "head": style("head", SIZE - 0.5, color=FAINT),
        "head-n": style("head-n", SIZE - 0.5, color=FAINT, alignment=2),
        "total": style("total", SIZE, bold=True),
        "total-n": style("total-n", SIZE, bold=True, alignment=2),
    }


def words(text: str, style: ParagraphStyle) -> Flowable:
    """A paragraph of text whose marks are escaped already."""
    return Paragraph(text, style)


class Title(Flowable):  # type: ignore[misc]  # the library has no types
    """A section's title under a line, and where it is in the reader's outline."""

    def __init__(self, text: str, styles: Styles) -> None:
        super().__init__()
        self._text, self._style = text, styles["section"]
        self.keepWithNext = 1

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        self.width = width
        return width, 30.0

    def draw(self) -> None:
        page, key = self.canv, f"section:{self._text}"
        page.setStrokeColor(LINE)
        page.setLineWidth(0.6)
        page.line(0, 22, self.width, 22)
        page.setFont(self._style.fontName, self._style.fontSize)
        page.setFillColor(INK)
        page.drawString(0, 7, self._text)
        page.bookmarkHorizontal(key, 0, 26)
        page.addOutlineEntry(self._text, key, level=0)


def tiles(block: Figures, width: float, letters: Fonts, styles: Styles) -> Flowable:
    """Figures side by side."""
    if not block.items:
        return Spacer(1, 1)
    cells: list[Any] = [_tile(one, letters, styles) for one in block.items]
    cells += [""] * (-len(cells) % COLUMNS)
    rows = [cells[at : at + COLUMNS] for at in range(0, len(cells), COLUMNS)]
    filled = [("BACKGROUND", (at % COLUMNS, at // COLUMNS), (at % COLUMNS, at // COLUMNS), TILE) for at in range(len(block.items))]  # fmt: skip
    return Grid(
        rows, [width / COLUMNS] * COLUMNS,
        style=[
            ("VALIGN", (0, 0), (-1, -1), "TOP"), *filled, ("INNERGRID", (0, 0), (-1, -1), 4, HexColor("#ffffff")),
            *((name, (0, 0), (-1, -1), 6) for name in ("TOPPADDING", "BOTTOMPADDING", "LEFTPADDING", "RIGHTPADDING")),
        ],
    )  # fmt: skip


def _tile(one: Figure, letters: Fonts, styles: Styles) -> list[Flowable]:
    texts = (("label", one.label), ("value", one.value), ("note", one.note))
    return [words(escape(letters.told(text)), styles[name]) for name, text in texts if text]


def table(block: Table, width: float, letters: Fonts, styles: Styles) -> Flowable:
    """Rows whose head is repeated on each page that they reach."""
    told = [[_cell(text, letters) for text in row] for row in (block.columns, *block.rows)]
    last = len(told) - 1 if block.total else -1
    cells = [
        [
            words(escape(text), styles[_style(row, at, last, block)])
            for at, text in enumerate(told[row])
        ]
        for row in range(len(told))
    ]
    style: list[tuple[Any, ...]] = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
        ("LEFTPADDING", (0, 0), (-1, -1), PAD),
        ("RIGHTPADDING", (0, 0), (-1, -1), PAD),
    ]
    if block.total:
        style.append(("LINEABOVE", (0, last), (-1, last), 0.9, FAINT))
    return Grid(cells, _widths(told, block, width, letters), repeatRows=1, style=style)


def _cell(text: str, letters: Fonts) -> str:
    told = letters.told(text)
    return told if len(told) <= LONGEST_CELL else f"{told[: LONGEST_CELL - 3]}..."


def _style(row: int, at: int, last: int, block: Table) -> str:
    kind = "head" if row == 0 else "total" if row == last else "cell"
    return kind if at < block.names else f"{kind}-n"


def _widths(
    told: list[list[str]], block: Table, width: float, letters: Fonts
) -> list[float]:  # fmt: skip
    """Numbers get what they need; names share the rest, long ones wrap."""

    def long(text: str) -> float:
        return float(stringWidth(text, letters.bold, SIZE)) + 2 * PAD + 1

    whole = [max(long(row[at]) for row in told[1:] or told) for at in range(len(block.columns))]
    heads = [max(map(long, name.split() or [""])) for name in told[0]]
    needed = [max(pair) for pair in zip(whole, heads, strict=True)]
    for_names = max(width - sum(needed[block.names :]), width / 4)
    names = _shared(for_names, needed[: block.names], heads[: block.names])
    numbers = needed[block.names :]
    fit = (width - sum(names)) / sum(numbers) if numbers else 1.0
    return [*names, *(one * min(1.0, fit) for one in numbers)]


def _shared(room: float, needed: list[float], least: list[float]) -> list[float]:
    """Each gets the least, and of what is left by what it needs beyond that: a long name beside it takes no column away."""
    left = room - sum(least)
    if left < 0:
        return [room / len(least)] * len(least)
    beyond = [need - one for need, one in zip(needed, least, strict=True)]
    if not any(beyond):
        return [one + left / len(least) for one in least]
    part = left / sum(beyond)
    return [one + more * part for one, more in zip(least, beyond, strict=True)]


class Drawn(Flowable):  # type: ignore[misc]  # the library has no types
    """A chart, as its layout says."""

    def __init__(self, chart: Chart, width: float, letters: Fonts) -> None:
        super().__init__()
        self._chart, self._letters = chart, letters
        self._scale = width / CHART_WIDTH

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        return CHART_WIDTH * self._scale, HEIGHT * self._scale

    def draw(self) -> None:
        page, drawn = self.canv, layout(self._chart)
        page.scale(self._scale, self._scale)
        page.setStrokeColor(LINE)
        page.setLineWidth(0.8)
        for rule in drawn.rules:
            page.line(LEFT, HEIGHT - rule.y, CHART_WIDTH - RIGHT, HEIGHT - rule.y)
        for bar in (*drawn.bars, *swatches(self._chart)):
            page.setFillColor(SERIES[bar.series % len(SERIES)])
            page.rect(bar.x, HEIGHT - bar.y - bar.height, bar.width, bar.height, stroke=0, fill=1)
        page.setFont(self._letters.plain, 10.5)
        page.setFillColor(FAINT)
        write = {"start": page.drawString, "middle": page.drawCentredString, "end": page.drawRightString}  # fmt: skip
        for word in drawn.words:
            write[word.anchor](word.x, HEIGHT - word.y, self._letters.told(word.text))
