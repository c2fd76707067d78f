"""What no input may do: fail in a way of its own, hold control characters, or be read past its bounds."""

from __future__ import annotations

import re
import struct
import zlib
from contextlib import suppress

import openpyxl
import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import Unreadable
from penstock.platforms.parse import docx, epub, pdf, pptx, xlsx
from penstock.ports import MOST_CHARACTERS, MOST_PAGES, MOST_UNPACKED_BYTES, DocumentKind, Text
from penstock.rag import reading, zips
from penstock.rag.canonical import Writer, clean
from penstock.rag.reasons import REASONS, unreadable
from penstock.rag.sniff import CALLED, SUFFIXES, TEXTS, Sniffed, sniff
from tests import documents
from tests.documents import shape, word

CONTROLS = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
NAMES = st.sampled_from(["", "a", ".", "a.", *(f"a.{suffix}" for suffix in SUFFIXES)])
DECLARED = st.sampled_from(["", ";", "text/html", "text/plain; charset=utf-16", "charset=", "a/b"])
GOOD: dict[DocumentKind, bytes] = {
    "docx": documents.docx(word("a", "H1") + "<w:tbl><w:tr><w:tc>" + word("b") + "</w:tc></w:tr></w:tbl>"),
    "pptx": documents.pptx([shape("title", "a"), shape("body", "b")], notes="c"),
    "xlsx": documents.xlsx('<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c></row>'),
    "epub": documents.epub(["<p>a", "<table><tr><td>b<td>c"]),
    "pdf": documents.pdf([["some words"], ["more words"]], marks={"some words": 0}, packed=False),
    "html": b"<html><h1>a</h1><ul><li>b<pre>c</pre></ul><table><tr><td>d<td>e</table><!-- f --><![CDATA[g]]>",
    "csv": b'a,b\n"c ""d""",e\n',
}  # fmt: skip
READERS = {
    "docx": docx.read_docx,
    "pptx": pptx.read_pptx,
    "epub": epub.read_epub,
    "xlsx": lambda data, to: xlsx.read_xlsx(data, to, openpyxl.load_workbook),
    "pdf": lambda data, to: pdf.read_pdf(data, to, pypdfium2),
}
OURS = ("docx", "pptx", "epub", "html", "csv")
"""Kinds that are read by code of ours alone, which may fail in one way only."""


def read(kind: DocumentKind, data: bytes) -> Text:
    if kind in reading.READERS:
        return reading.read(Sniffed(kind), data)
    to = Writer()
    READERS[kind](data, to)
    return to.text(kind)


def sound(text: Text) -> None:
    assert not CONTROLS.search(text.text + text.title)
    assert text.text == text.text.strip("\n") != ""
    assert list(text.pages) == sorted(text.pages)
    assert all(0 <= page <= len(text.text) for page in text.pages)


def test_good_ones_are_read() -> None:
    for kind, data in GOOD.items():
        sniffed = sniff(data, f"a.{kind}")
        assert sniffed.kind == kind
        sound(read(kind, data))


@given(data=st.binary(max_size=5_000), name=NAMES, declared=DECLARED)
@settings(deadline=None)
def test_sniffing_any_bytes(data: bytes, name: str, declared: str) -> None:
    with suppress(Unreadable):
        assert sniff(data, name, declared).kind in CALLED


@given(
    start=st.sampled_from([b"%PDF-", b"PK\3\4", b"PK\5\6", b"\xff\xfe", b"\xfe\xff", b"<html>"]),
    data=st.binary(max_size=500),
    end=st.sampled_from([b"", b"PK\5\6" + bytes(18), b"PK\5\6" + b"\xff" * 18, b"%%EOF"]),
)
@settings(deadline=None)
def test_sniffing_what_begins_as_something(start: bytes, data: bytes, end: bytes) -> None:
    with suppress(Unreadable):
        sniff(start + data + end)


@given(
    kind=st.sampled_from(OURS),
    at=st.integers(0, 10_000),
    changed=st.binary(min_size=1, max_size=40),
    lost=st.integers(0, 40),
)
@settings(deadline=None, max_examples=300)
def test_damaged_ones_are_read_or_refused(kind, at: int, changed: bytes, lost: int) -> None:
    good = GOOD[kind]
    at %= len(good)
    data = good[:at] + changed + good[at + lost :]
    with suppress(Unreadable):
        sound(read(kind, data))


@given(text=st.text(st.characters(codec=None), max_size=300))
def test_cleaning(text: str) -> None:
    cleaned = clean(text)
    assert not CONTROLS.search(cleaned)
    assert clean(cleaned) == cleaned
    cleaned.encode()


HTML = st.lists(
    st.sampled_from(
        ["<p>", "</p>", "<br/>", "<td>", "<tr>", "<table>", "</table>", "<ul>", "</ul>", "<li>", "</li>", "<pre>",
        "</pre>", "<h1>", "</h1>", "<title>", "</title>", "<script>", "</script>", "<svg>", "</svg>", "<title/>",
        "<!--", "-->", "<![", "]]>", "<![CDATA[", "<!doctype", "<?x", "</", "<", ">", "&#0;", "&#xd800;", "&amp",
        "a", " ", "\n", "```", "|", "# ", "<caption>", "<code class='language-x'>"]
    ),
    max_size=60,
)  # fmt: skip


@given(parts=HTML)
@settings(deadline=None, max_examples=400)
def test_any_html(parts: list[str]) -> None:
    with suppress(Unreadable):
        sound(read("html", "".join(parts).encode()))


@given(
    blocks=st.lists(
        st.tuples(
            st.sampled_from(["page", "heading", "paragraph", "item", "code", "raw", "table"]),
            st.text(max_size=20),
        ),
        max_size=30,
    )
)
@settings(deadline=None)
def test_any_blocks(blocks: list[tuple[str, str]]) -> None:
    to = Writer()
    pages = 0
    for kind, text in blocks:
        if kind == "page":
            to.page()
            pages += 1
        elif kind in ("heading", "item"):
            getattr(to, kind)(3, text)
        elif kind == "table":
            to.table([[text, text], [text]])
        else:
            getattr(to, kind)(text)
    with suppress(Unreadable):
        told = to.text("text")
        sound(told)
        assert len(told.pages) == pages


def test_a_text_has_a_bound() -> None:
    to = Writer(10)
    to.paragraph("1234567")
    with pytest.raises(Unreadable) as refusal:
        to.paragraph("89")
    assert refusal.value.code == "document_too_long"
    assert MOST_CHARACTERS // 1_000_000 == 20


def test_pages_have_a_bound() -> None:
    to = Writer()
    for _ in range(MOST_PAGES):
        to.page()
    with pytest.raises(Unreadable) as refusal:
        to.page()
    assert refusal.value.code == "document_too_many_pages"


def test_a_fence_is_longer_than_those_in_the_code() -> None:
    to = Writer()
    to.code("```\nx\n````", "md")
    assert to.text("text").text == "`````md\n```\nx\n````\n`````"


@pytest.mark.parametrize("code", REASONS)
def test_each_reason_is_a_sentence(code: str) -> None:
    refusal = unreadable(code, kind="PDF", said="DOCX", most=5)
    assert refusal.code == code
    assert refusal.message.endswith(".")
    assert "{" not in refusal.message
    assert " 0 " not in refusal.message


def test_text_makes_no_structure() -> None:
    to = Writer()
    to.paragraph("# one\n#two\n```\n  ~~~ x\n- #\n####### x\n#")
    to.table([["a|b", "```"]])
    assert to.text("text").text == (
        "\\# one\n#two\n\\```\n\\~~~ x\n- #\n####### x\n\\#\n\n| a\\|b | ``` |\n| --- | --- |"
    )


# Archives


def refused(data: bytes) -> str:
    with pytest.raises(Unreadable) as refusal:
        [b"".join(zips.unpack(data, part)) for part in zips.parts(data).values()]
    return refusal.value.code


def test_parts_are_what_was_packed() -> None:
    wanted = {"[Content_Types].xml": b"x" * 3_000_000, "a/b": b"", "ü": b"y"}
    data = documents.package(wanted)
    parts = zips.parts(data)
    assert {name: b"".join(zips.unpack(data, part)) for name, part in parts.items()} == wanted


def widened(name: str) -> bytes:
    """An archive of one part whose sizes and place are in the field of Zip64."""
    data = documents.package({name: b"hello " * 100})
    at = data.index(b"PK\1\2")
    head = bytearray(data[at : at + 46])
    packed, size = struct.unpack_from("<2L", head, 20)
    struct.pack_into("<2L", head, 20, 0xFFFFFFFF, 0xFFFFFFFF)
    struct.pack_into("<H", head, 30, 36)
    struct.pack_into("<L", head, 42, 0xFFFFFFFF)
    extra = struct.pack("<2H4x", 0xCAFE, 4) + struct.pack("<2H3Q", 1, 24, size, packed, 0)
    directory = bytes(head) + name.encode() + extra
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(directory), at, 0)
    return data[:at] + directory + end


def test_wide_sizes() -> None:
    data = widened("a")
    assert b"".join(zips.unpack(data, zips.parts(data)["a"])) == b"hello " * 100
    for place in range(data.index(b"PK\1\2"), len(data)):
        with suppress(Unreadable):
            zips.parts(data[:place] + b"\xff" + data[place + 1 :])


@pytest.mark.parametrize("says", [0, 1, 999, 1_000_001])
def test_a_part_is_as_large_as_it_says(says: int) -> None:
    packed = zlib.compress(b"a" * 1_000_000)[2:-4]
    data = documents.lying(documents.package({"a": "b"}), "a", packed, says)
    assert refused(data) == ("document_bomb" if says < 1_000_000 else "document_corrupt")


def test_unpacking_stops_at_what_was_said() -> None:
    packed = documents.deflated(1 << 30, wrapped=False)
    data = documents.lying(documents.package({"a": "b"}), "a", packed, 3 << 20)
    pieces = zips.unpack(data, zips.parts(data)["a"])
    seen = 0
    with suppress(Unreadable):
        while True:
            seen += len(next(pieces))
    assert seen <= 3 << 20


def test_a_directory_that_says_too_much() -> None:
    data = documents.package({"a": "x", "b": "y"})
    lying = documents.lying(data, "a", b"x", MOST_UNPACKED_BYTES)
    assert refused(lying) == "document_bomb"


def test_texts_are_what_is_read_in_any_process() -> None:
    assert set(TEXTS) == set(reading.READERS)
