"""A paper as one HTML file: it names nothing outside itself, runs nothing, and prints as it looks."""

from __future__ import annotations

from html import escape

from penstock.wire.paper import Block, Chart, Figures, Paper, Prose, Section, Table
from penstock.wire.paper.chart import HEIGHT, WIDTH, Bar, layout, swatches
from penstock.wire.paper.style import STYLE

HEADERS = (
    ("content-type", "text/html; charset=utf-8"),
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'; sandbox",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
)
"""What it is served with: should a text ever get out of its place, it could do nothing there."""


UNPARTED = 24
"""Characters of a word that stay together."""


def html(paper: Paper) -> bytes:
    """The same bytes for the same paper."""
    sections = "".join(_section(one) for one in paper.sections)
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(paper.title)}</title><style>{STYLE}</style></head>\n"
        f"<body><header><h1>{escape(paper.title)}</h1><p>{escape(paper.about)}</p></header>\n"
        f"<main>{sections}</main></body></html>\n"
    )
    return text.encode("utf-8", "replace")


def _section(section: Section) -> str:
    named = f' id="{escape(section.id)}"' if section.id else ""
    blocks = "".join(_block(one) for one in section.blocks)
    return f"<section{named}><h2>{escape(section.title)}</h2>{blocks}</section>\n"


def _block(block: Block) -> str:
    match block:
        case Figures():
            return _figures(block)
        case Prose():
            return f"<p>{escape(block.text)}</p>"
        case Table():
            return _table(block)
        case Chart():
            return _chart(block)


def _figures(block: Figures) -> str:
    told = "".join(
        f"<div><dt>{escape(one.label)}</dt><dd><b>{escape(one.value)}</b>"
        + (f"<small>{escape(one.note)}</small>" if one.note else "")
        + "</dd></div>"
        for one in block.items
    )
    return f'<dl class="figures">{told}</dl>'


def _table(block: Table) -> str:
    heads = "".join(
        f'<th scope="col"{_right(at, block)}>{escape(name)}</th>'
        for at, name in enumerate(block.columns)
    )
    rows = "".join(_row(row, block, total=block.total and row is block.rows[-1]) for row in block.rows)  # fmt: skip
    # What is wider than the page scrolls by itself, also for whoever has no mouse.
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(block.caption)}"><table>'
        f"<caption>{escape(block.caption)}</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(row: tuple[str, ...], block: Table, *, total: bool) -> str:
    first = f'<th scope="row">{_parted(row[0])}</th>'
    cells = "".join(
        f"<td{_right(at, block)}>{_parted(text)}</td>" for at, text in enumerate(row) if at
    )
    kind = ' class="total"' if total else ""
    return f"<tr{kind}>{first}{cells}</tr>"


def _parted(text: str) -> str:
    """A text that may go on in another line within a word, where that is a long one."""
    return "<wbr>".join(escape(text[at : at + UNPARTED]) for at in range(0, len(text), UNPARTED))


def _right(at: int, block: Table) -> str:
    """Numbers stand to the right; the last of several names has room."""
    if at >= block.names:
        return ' class="n"'
    return ' class="l"' if at and at == block.names - 1 else ""


def _chart(chart: Chart) -> str:
    drawn = layout(chart)
    rules = "".join(f'<path class="r" d="M64 {one.y}H{WIDTH - 8:g}"/>' for one in drawn.rules)
    bars = "".join(_bar(one) for one in (*drawn.bars, *swatches(chart)))
    words = "".join(
        f'<text x="{one.x}" y="{one.y}" text-anchor="{one.anchor}">{escape(one.text)}</text>'
        for one in drawn.words
    )
    under = f' <a href="#{escape(chart.table)}">In figures</a>' if chart.table else ""
    return (
        f'<figure><figcaption>{escape(chart.title)}{under}</figcaption><div class="wide" tabindex="0" role="region"'
        f' aria-label="{escape(chart.title)}"><svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img"'
        f' aria-label="{escape(chart.title)}">{rules}{bars}{words}</svg></div></figure>'
    )


def _bar(bar: Bar) -> str:
    return f'<rect class="s{bar.series}" x="{bar.x}" y="{bar.y}" width="{bar.width}" height="{bar.height}"/>'
