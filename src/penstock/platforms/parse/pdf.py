"""PDF by PDFium: a page at a time; lines that end early end a paragraph, and what the outline names is a heading."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from penstock.ports import MOST_PAGES
from penstock.rag.canonical import Writer, line
from penstock.rag.reasons import unreadable

MOST_OUTLINE = 10_000
DEEPEST_OUTLINE = 5
_PASSWORD = 4
_HYPHEN = re.compile("[\ufffe\x02]\r?\n?")
"""PDFium's mark where a word is broken at the end of a line."""
_ENDS = (".", "!", "?", ":", "\u3002", '"', "\u201d", ")")
_SHORT = 0.75
"""A line that ends a sentence and has at most this share of the longest one's characters ends a paragraph."""
_LEAST_WIDE = 30

_LOOKED_AT = 1_000
_NUMBERED = 3
"""Digits that a page without text may have: its number."""

Outline = dict[int, dict[str, int]]
"""By page: the headings on it by their `key`, and how deep they are."""
_NUMBER = re.compile(
    r"(?:(?:chapter|appendix|section|part)\s)?(?:\d{1,4}|[a-z])(?:\.\d{1,3})*[.:)]?\s", re.I
)
"""What a heading has before its words on the page, and seldom in the outline."""
MOST_HEADING = 300


def load_pdfium() -> Any:
    """The library; raises ImportError where it is not installed."""
    import pypdfium2

    return pypdfium2


def read_pdf(data: bytes, to: Writer, pdfium: Any) -> None:
    document = _open(data, pdfium)
    if len(document) > MOST_PAGES:
        raise unreadable("document_too_many_pages")
    to.name(_title(document))
    outline = _outline(document)
    letters = digits = 0
    for number in range(len(document)):
        to.page()
        text = _text(document, number, pdfium)
        letters += sum(map(str.isalpha, text[:_LOOKED_AT]))
        digits += sum(map(str.isdigit, text[:_LOOKED_AT]))
        write(text, outline.get(number, {}), to)
    if not letters and digits <= _NUMBERED * len(document):
        raise unreadable("document_scanned")


def _open(data: bytes, pdfium: Any) -> Any:
    try:
        return pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        sealed = getattr(error, "err_code", 0) == _PASSWORD
        raise unreadable("document_encrypted" if sealed else "document_corrupt") from None


def _title(document: Any) -> str:
    return str(document.get_metadata_dict().get("Title", ""))


def _text(document: Any, number: int, pdfium: Any) -> str:
    """The page's text; a page that cannot be read spoils the document, as a gap would not be seen."""
    try:
        page = document[number]
        try:
            lettering = page.get_textpage()
            try:
                return str(lettering.get_text_range())
            finally:
                lettering.close()
        finally:
            page.close()
    except pdfium.PdfiumError:
        raise unreadable("document_corrupt") from None


def _outline(document: Any) -> Outline:
    found: Outline = {}
    for count, mark in enumerate(document.get_toc(max_depth=DEEPEST_OUTLINE)):
        if count == MOST_OUTLINE:
            break
        place = mark.get_dest()
        number = place.get_index() if place else None
        if number is not None:
            found.setdefault(number, {})[key(line(mark.get_title()))] = mark.level + 1
    return found


def key(heading: str) -> str:
    """What its line on the page and its title in the outline have in common."""
    told = heading[:MOST_HEADING].lower()
    return told[end.end() :] if (end := _NUMBER.match(told)) else told


def write(text: str, headings: dict[str, int], to: Writer) -> None:
    """A page's text by paragraphs."""
    lines = [line(each) for each in _HYPHEN.sub("", text).splitlines()]
    for block in paragraphs(lines, headings):
        level = headings.get(key(block[0])) if len(block) == 1 else None
        if level:
            to.heading(level, block[0])
        else:
            to.paragraph("\n".join(block))


def paragraphs(lines: list[str], headings: dict[str, int]) -> Iterator[list[str]]:
    """The lines by paragraph: one ends at an empty line, around a heading, and after a short line that ends a sentence."""
    short = max(_LEAST_WIDE, max(map(len, lines), default=0) * _SHORT)
    block: list[str] = []
    for each in lines:
        heading = bool(headings) and key(each) in headings
        if block and (heading or not each):
            yield block
            block = []
        if each:
            block.append(each)
        if block and (heading or (len(each) <= short and each.endswith(_ENDS))):
            yield block
            block = []
    if block:
        yield block
