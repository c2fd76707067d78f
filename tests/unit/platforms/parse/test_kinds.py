"""Each kind of document as its process reads it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import date, datetime
from io import BytesIO
from typing import Any

import pytest
from openpyxl import Workbook

from penstock.errors import Unreadable
from penstock.platforms.parse.process import ProcessParse
from penstock.platforms.world import RealClock
from penstock.ports import MOST_PAGES, Text
from tests import documents
from tests.documents import LAUGHS, fetching, grid, shape, word


@pytest.fixture
async def parse() -> AsyncGenerator[ProcessParse]:
    parse = ProcessParse(RealClock())
    yield parse
    await parse.aclose()


async def code(parse: ProcessParse, data: bytes, name: str = "") -> str:
    with pytest.raises(Unreadable) as refusal:
        await parse.text(data, name)
    return refusal.value.code


def on_pages(text: Text) -> list[str]:
    ends = [*text.pages[1:], len(text.text)]
    return [text.text[at:end].strip() for at, end in zip(text.pages, ends, strict=True)]


# DOCX


async def test_docx_by_its_styles(parse: ProcessParse) -> None:
    item = '<w:numPr><w:ilvl w:val="1"/><w:numId w:val="3"/></w:numPr>'
    none = '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="0"/></w:numPr>'
    body = word("Top", "H1") + word("Sub", "Mine") + word("Third", "Out") + word("a  &  b")
    body += word("x = 1", "Code") + word("  y", "Code") + word("it", more=item)
    body += (
        word("not it", more=none) + word("by its style", "Dots") + word("nor this", "Dots", none)
    )
    told = await parse.text(documents.docx(body), "a.docx")
    assert told.title == "A & B"
    assert told.text == (
        "# Top\n\n## Sub\n\n### Third\n\na & b\n\n```\nx = 1\n  y\n```\n\n  - it\n\nnot it\n\n- by its style\n\nnor this\n\nA note below."
    )


async def test_docx_tables(parse: ProcessParse) -> None:
    def row(*cells: str) -> str:
        return f"<w:tr>{''.join(f'<w:tc>{cell}</w:tc>' for cell in cells)}</w:tr>"

    inner = f"<w:tbl>{row(word('in'), word('ner'))}</w:tbl>"
    table = f"<w:tbl>{row(word('k'), word('a|b'))}{row(inner, word('v') + word('w'))}</w:tbl>"
    told = await parse.text(documents.docx(word("x") + table + word("y")))
    assert told.text.startswith("x\n\n| k | a\\|b |\n| --- | --- |\n| in ner | v w |\n\ny\n\n")


async def test_docx_text_that_counts(parse: ProcessParse) -> None:
    """What was deleted, a field's formula and the second form of a text box are not text; a link and an insertion are."""
    box = "<w:txbxContent>" + word("in a box") + "</w:txbxContent>"
    body = (
        "<w:p><w:pPr><w:tabs><w:tab/></w:tabs></w:pPr><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
        "<w:hyperlink><w:r><w:t>link</w:t></w:r></w:hyperlink><w:ins><w:r><w:t> new</w:t></w:r></w:ins>"
        "<w:r><w:instrText>PAGE</w:instrText><w:br/><w:t>next</w:t><w:tab/><w:t>tab</w:t></w:r></w:p>"
        f"<w:p><mc:AlternateContent xmlns:mc='m'><mc:Choice>{box}</mc:Choice><mc:Fallback>{box}"
        "</mc:Fallback></mc:AlternateContent></w:p><w:sdt><w:sdtContent>"
        + word("control")
        + "</w:sdtContent></w:sdt>"
    )
    told = await parse.text(documents.docx(body))
    assert told.text == "link new\nnext tab\n\nin a box\n\ncontrol\n\nA note below."


# PPTX


async def test_pptx_is_a_page_a_slide_in_the_order_shown(parse: ProcessParse) -> None:
    slides = [
        shape("title", "One", "more") + shape("body", "x", "y") + shape("sldNum", "7"),
        "",
        shape("ctrTitle", "Last") + grid([["a", "b"], ["c", "d"]]),
    ]
    told = await parse.text(documents.pptx(slides, notes="Say this."))
    assert told.title == "A & B"
    assert on_pages(told) == [
        "## One more\n\nx\n\ny\n\nSay this.",
        "",
        "## Last\n\n| a | b |\n| --- | --- |\n| c | d |",
    ]


async def test_too_many_slides(parse: ProcessParse) -> None:
    data = documents.pptx([""] * (MOST_PAGES + 1))
    assert await code(parse, data) == "document_too_many_pages"


# XLSX


def book(rows: list[list[object]]) -> bytes:
    made = Workbook()
    made.properties.title = "Sums"
    made.active.title = "First"
    for row in rows:
        made.active.append(row)
    made.create_sheet("Empty")
    made.create_sheet("Last").append(["x"])
    out = BytesIO()
    made.save(out)
    return out.getvalue()


AT = datetime(2026, 2, 3, 4, 5)  # noqa: DTZ001 - a cell has no time zone


async def test_xlsx_is_a_table_a_sheet(parse: ProcessParse) -> None:
    told = await parse.text(
        book(
            [
                ["name", "share", "day", "at", "on"],
                [],
                ["a|b", 0.1 + 0.2, date(2026, 2, 3), AT, True],
                ["c", 12, None, "=1+1"],
            ]
        ),
        "a.xlsx",
    )
    assert told.title == "Sums"
    assert told.text == (
        "## First\n\n| name | share | day | at | on |\n| --- | --- | --- | --- | --- |\n"
        "| a\\|b | 0.3 | 2026-02-03 | 2026-02-03 04:05:00 | TRUE |\n| c | 12 |\n\n## Last\n\n| x |\n| --- |"
    )


# EPUB


async def test_epub_in_the_order_of_its_spine(parse: ProcessParse) -> None:
    told = await parse.text(documents.epub(["<h1>One</h1><p>a&#160;b</p>", "<p>two</p>"]))
    assert (told.title, told.text) == ("A Book", "# One\n\na b\n\ntwo")


async def test_epub_that_may_not_be_read(parse: ProcessParse) -> None:
    sealed = (
        "<encryption><EncryptedData><CipherData><CipherReference URI='OEBPS/text/c%200.xhtml'/>"
        "</CipherData></EncryptedData></encryption>"
    )
    for name, content in (("META-INF/rights.xml", "x"), ("META-INF/encryption.xml", sealed)):
        data = documents.epub(["<p>x</p>"], **{name: content})
        assert await code(parse, data) == "document_encrypted"


# PDF

WORDS = "These are the words of a line that is as long as the others."


async def test_pdf_by_pages_and_paragraphs(parse: ProcessParse) -> None:
    pages = [
        ["1.2 Intro", WORDS, "It ends here.", WORDS, "and goes on with a hyphen-", "ated word"],
        [],
        [WORDS],
    ]
    told = await parse.text(documents.pdf(pages, title="Mine", marks={"Intro": 0, "Other": 2}))
    assert told.title == "Mine"
    marked = await parse.text(b"\xef\xbb\xbf" + documents.pdf(pages[2:]))
    assert marked.text == WORDS
    first, second, third = on_pages(told)
    assert first.startswith(f"# 1.2 Intro\n\n{WORDS}\nIt ends here.\n\n{WORDS}\n")
    assert (second, third) == ("", WORDS)
    assert "hyphenated word" in first


async def test_pdf_without_letters_is_a_scan(parse: ProcessParse) -> None:
    assert await code(parse, documents.pdf([[], []])) == "document_scanned"
    assert await code(parse, documents.pdf([["1"], ["- 2 -"]])) == "document_scanned"
    assert (await parse.text(documents.pdf([["Hi"]]))).text == "Hi"
    assert (await parse.text(documents.pdf([["1200.50 17 20"]]))).text == "1200.50 17 20"


async def test_pdf_with_a_password(parse: ProcessParse) -> None:
    data = documents.pdf([["x"]], trailer=documents.SEALED)
    assert await code(parse, data) == "document_encrypted"


async def test_pdf_of_ten_thousand_pages(parse: ProcessParse) -> None:
    assert await code(parse, documents.pdf([["x"]] * 10_000)) == "document_too_many_pages"


@pytest.mark.parametrize("kind", ["pdf", "docx", "pptx", "epub"])
async def test_cut_short(parse: ProcessParse, kind: str) -> None:
    made = {
        "pdf": b"%PDF-1.7\nnothing of the kind",
        "docx": documents.docx(word("x"), **{"_rels/.rels": "<Relationships/>"}),
        "pptx": documents.pptx([shape("body", "x")]).replace(
            b"ppt/presentation", b"ppt/presentatiom"
        ),
        "epub": documents.epub(["x"], **{"OEBPS/b.opf": "<package"}),
    }
    assert await code(parse, made[kind]) == "document_corrupt"


@pytest.mark.parametrize(
    "data",
    [
        documents.docx(""),
        documents.pptx(["", ""]),
        documents.xlsx(""),
        documents.epub(["<p></p>"]),
        b"<html><script>x</script></html>",
    ],
)
async def test_nothing_in_it(parse: ProcessParse, data: bytes) -> None:
    if b"footnotes" in data:
        data = documents.docx("", **{"word/footnotes.xml": "<f/>"})
    assert await code(parse, data) == "document_empty"


@pytest.mark.parametrize("before", [LAUGHS, fetching("file:///etc/passwd"), "<!DOCTYPE x>"])
@pytest.mark.parametrize("make", [documents.docx, documents.xlsx])
async def test_declarations_are_refused(parse: ProcessParse, make, before: str) -> None:
    assert await code(parse, make("", before=before)) == "document_unsafe"


async def test_a_declaration_in_another_encoding_is_refused(parse: ProcessParse) -> None:
    strings: dict[str, Any] = {"xl/sharedStrings.xml": (LAUGHS + "<sst/>").encode("utf-16")}
    data = documents.xlsx("", **strings)
    assert await code(parse, data) == "document_unsafe"


@pytest.mark.parametrize("before", [LAUGHS, fetching("file:///etc/passwd")])
async def test_declarations_in_a_book_are_refused(parse: ProcessParse, before: str) -> None:
    data = documents.epub(["x"], **{"OEBPS/text/c 0.xhtml": before + "<html>&a;</html>"})
    assert await code(parse, data) == "document_unsafe"
