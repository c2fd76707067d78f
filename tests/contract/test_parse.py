"""What every Parse keeps to: the same text for the same bytes, or a reason that its sender can act on."""

from __future__ import annotations

import asyncio
import re
import zipfile
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.errors import Unreadable
from penstock.platforms.memory.parse import MemoryParse
from penstock.platforms.parse.process import ProcessParse
from penstock.platforms.world import RealClock
from penstock.ports import MOST_DOCUMENT_BYTES, Parse, Text
from penstock.rag.reasons import REASONS
from tests import documents
from tests.contract import edges

TEXTS_ALONE = "this home reads texts alone"
CONTROLS = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f]")
PARSES: dict[str, Callable[[], MemoryParse | ProcessParse]] = {
    "memory": MemoryParse,
    "embedded and server": lambda: ProcessParse(RealClock()),
}


@pytest.fixture(params=[*PARSES, *edges.PARSES])
async def parse(request) -> AsyncGenerator[Parse]:
    if request.param in edges.PARSES:
        yield await edges.parse(request.getfixturevalue(edges.PARSES[request.param]))
        return
    opened = PARSES[request.param]()
    yield opened
    if isinstance(opened, ProcessParse):
        await opened.aclose()


@pytest.fixture
def every(parse: Parse) -> Parse:
    """One that reads all kinds."""
    if not isinstance(parse, ProcessParse):
        pytest.skip(TEXTS_ALONE)
    return parse


async def code(parse: Parse, data: bytes, name: str = "", declared: str = "") -> str:
    """The code of the refusal, which says what to do in fixed words."""
    with pytest.raises(Unreadable) as refusal:
        await parse.text(data, name, declared)
    assert refusal.value.status == 422
    assert refusal.value.code in REASONS
    assert "{" not in refusal.value.message
    return refusal.value.code


def sound(text: Text) -> None:
    """What is promised of every text."""
    assert text.text.encode().decode() == text.text
    assert not CONTROLS.search(text.text)
    assert text.text == text.text.strip("\n")
    assert text.text
    assert list(text.pages) == sorted(text.pages)
    assert all(0 <= page <= len(text.text) for page in text.pages)


# Texts


async def test_plain_text_stays_as_it_is(parse: Parse) -> None:
    told = await parse.text("Größe 漢字 🎩\n\n  indented\n".encode(), "a.txt")
    assert told == Text("text", "Größe 漢字 🎩\n\n  indented")


@pytest.mark.parametrize("name", ["", "a", "a.py", "a.log", "README", "a.b.c", ".txt", "a.TXT"])
async def test_text_of_any_name_is_text(parse: Parse, name: str) -> None:
    assert (await parse.text(b"def f(): ...", name)).kind == "text"


@pytest.mark.parametrize("text", ["the ftyp box", "BM is not a picture", "MZ", "{not rtf}", "PK"])
async def test_what_looks_like_another_kind_at_first(parse: Parse, text: str) -> None:
    assert (await parse.text(text.encode())).text == text


async def test_a_stray_control_character_is_left_out(parse: Parse) -> None:
    assert (await parse.text(b"many words " * 20 + b"soft\xc2\xadhyphen\x02")).text.endswith(
        "softhyphen"
    )


async def test_lines_end_with_newlines_and_control_characters_are_gone(parse: Parse) -> None:
    told = await parse.text(b"\xef\xbb\xbfa\r\nb\rc\x1b[0m\tx\xc2\x85y\xe2\x80\xa8z\x0cw", "a.txt")
    assert told.text == "a\nb\nc[0m\tx\ny\nz\nw"


async def test_markdown_stays_and_has_its_first_heading_as_title(parse: Parse) -> None:
    told = await parse.text(b"# One *two* #\r\n\r\n```\nx = 1\n```\n", "a.md")
    assert told == Text("markdown", "# One *two* #\n\n```\nx = 1\n```", "One *two*")


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
async def test_csv_is_a_table(parse: Parse, mark: str) -> None:
    data = f'name{mark}say\nann{mark}"a ""b""\nc{mark}|"\n\nbob{mark}\n'.encode()
    told = await parse.text(data, "a.csv")
    cell = f'a "b" c{mark.strip()}'.replace("|", "\\|")
    cell = f"{cell}\\|" if mark.strip() else f"{cell} \\|"
    assert told.kind == "csv"
    assert told.text == f"| name | say |\n| --- | --- |\n| ann | {cell} |\n| bob |  |"


async def test_html_is_read_as_its_reader_sees_it(parse: Parse) -> None:
    told = await parse.text(
        b"<!doctype html><title>A &amp; B</title><style>p{}</style><h1>Top <b>one</b></h1>"
        b"<p>a<br>b   c<script>alert('no')</script></p><ul><li>x<ol><li>y</ol><li><p>z</p></ul>"
        b'<pre><code class="language-py">if x:\n    y\n</code></pre>'
        b"<table><caption>Cap<tr><th>k<th>v<tr><td>1<td>2 <table><tr><td>in</table></table>end",
        "a.html",
    )
    assert told.title == "A & B"
    assert told.text == (
        "# Top one\n\na\nb c\n\n- x\n  - y\n- z\n\n```py\nif x:\n    y\n```\n\nCap\n\n"
        "| k | v |\n| --- | --- |\n| 1 | 2 in |\n\nend"
    )


async def test_a_heading_with_a_block_in_it(parse: Parse) -> None:
    told = await parse.text(
        b"<html><h2><div>Top</div></h2><h3></h3><p>text<h4>next<p>more", "a.html"
    )
    assert told.text == "## Top\n\ntext\n\n#### next\n\nmore"


async def test_html_is_known_by_its_bytes(parse: Parse) -> None:
    told = await parse.text(b"\n<!-- x --><!DOCTYPE html><p>hello", "page.txt", "text/plain")
    assert (told.kind, told.text) == ("html", "hello")


@pytest.mark.parametrize(
    ("data", "declared"),
    [
        ("Größe".encode("utf-16"), ""),
        ("Größe".encode("utf-32"), ""),
        ("Größe und mehr davon".encode("utf-16-le"), ""),
        ("Größe und mehr davon".encode("utf-16-be"), ""),
        ("Größe".encode("latin-1"), "text/plain; charset=ISO-8859-1"),
        ('<html><meta charset="windows-1252"><p>Größe'.encode("cp1252"), ""),
        ('<?xml version="1.0" encoding="iso-8859-15"?><html><p>Größe'.encode("latin-1"), ""),
        ('<html><meta charset="koi8-r"><p>Größe'.encode(), ""),
    ],
)
async def test_what_says_its_encoding_is_read_in_it(parse: Parse, data, declared) -> None:
    assert (await parse.text(data, "", declared)).text.startswith("Größe")


@pytest.mark.parametrize(
    ("data", "declared"),
    [
        ("Größe".encode("latin-1"), ""),
        ("漢字です".encode("cp932"), "text/plain"),
        (b"caf\xe9", "text/plain; charset=utf-8"),
        (b"caf\xe9", "text/plain; charset=utf-7"),
        (b"caf\xe9", "text/plain; charset=rot13"),
        (b"a" * 70_000 + b"\xff", ""),
    ],
)
async def test_what_does_not_is_refused(parse: Parse, data, declared) -> None:
    assert await code(parse, data, "a.txt", declared) == "document_not_utf8"


# What is no document


@pytest.mark.parametrize("name", ["a.txt", "a.pdf", "a.docx", "a.html", "a.csv", ""])
@pytest.mark.parametrize("data", [b"", b" \n\t\r\n", b"\xef\xbb\xbf"])
async def test_empty(parse: Parse, data: bytes, name: str) -> None:
    told = await code(parse, data, name)
    assert told == "document_empty" or (data > b"\xee" and told == "document_misnamed")


async def test_too_large(parse: Parse) -> None:
    assert await code(parse, b"a" * (MOST_DOCUMENT_BYTES + 1)) == "document_too_large"


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"\xff\xd8\xff\xe0\0\x10JFIF",
        b"GIF89a\x01\0\x01\0",
        b"\0\0\0 ftypisom",
        b"\x1f\x8b\x08\0\0",
        b"MZ\x90\0\x03\0",
        b"\x7fELF\x02\x01\x01\0",
        b"SQLite format 3\0",
        b"{\\rtf1 hello}",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
        b"\0\x01\x02\x03",
        documents.package({"a.txt": "a"}),
        documents.package(
            {"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": "x"}
        ),
    ],
)
async def test_other_kinds_are_named(parse: Parse, data: bytes) -> None:
    assert await code(parse, data, "a") == "document_unsupported"


@pytest.mark.parametrize(
    ("data", "name", "declared"),
    [
        (b"hello", "a.pdf", ""),
        (b"hello", "a.docx", ""),
        (b"hello", "a", "application/pdf"),
        (documents.pdf([["x"]]), "a.txt", ""),
        (documents.pdf([["x"]]), "a.docx", "application/pdf"),
        (documents.docx(""), "a.xlsx", ""),
        (documents.docx(""), "a.pdf", ""),
        (documents.epub([]), "a.docx", ""),
    ],
)
async def test_a_name_that_says_another_kind(parse: Parse, data, name, declared) -> None:
    assert await code(parse, data, name, declared) == "document_misnamed"


@pytest.mark.parametrize(
    "data",
    [
        documents.pdf([["x"]]) + documents.package({"a": "b"}),
        b"GIF" + b"\0" + documents.pdf([["x"]]),
        documents.package({"%PDF-1.7": "x", "word/x": "y", "[Content_Types].xml": ""}),
        documents.docx("", **{"xl/workbook.xml": ""}),
    ],
)
async def test_two_kinds_in_one(parse: Parse, data: bytes) -> None:
    assert await code(parse, data) == "document_ambiguous"


SEALED_OFFICE = (
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500) + "EncryptedPackage".encode("utf-16-le")
)


def sealed_zip() -> bytes:
    """A package whose directory says that its parts are encrypted."""
    data = bytearray(documents.docx(""))
    at = data.index(b"PK\1\2")
    data[at + 8] |= 1
    return bytes(data)


@pytest.mark.parametrize("data", [SEALED_OFFICE, sealed_zip()])
async def test_encrypted_by_its_outside(parse: Parse, data: bytes) -> None:
    assert await code(parse, data, "a.docx") == "document_encrypted"


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a\\..\\b", "C:x", "a/../../b"]
)
async def test_names_that_lead_outside(parse: Parse, name: str) -> None:
    assert await code(parse, documents.docx("", **{name: "x"})) == "document_unsafe"


async def test_a_bomb_by_what_its_directory_says(parse: Parse) -> None:
    big = zipfile.ZipInfo("word/media/big.bin")
    big.compress_type = zipfile.ZIP_DEFLATED
    made = BytesIO(documents.docx(""))
    with (
        zipfile.ZipFile(made, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open(big, "w") as part,
    ):
        for _ in range(101):
            part.write(bytes(1_000_000))
    assert await code(parse, made.getvalue()) == "document_bomb"
    many = {f"word/{number}": "" for number in range(10_001)}
    assert await code(parse, documents.package(many)) == "document_bomb"


async def test_an_archive_that_is_cut_short(parse: Parse) -> None:
    data = documents.docx(documents.word("hello"))
    for end in (10, len(data) // 2, len(data) - 1):
        assert await code(parse, data[:end], "a.docx") == "document_corrupt"


@given(data=st.binary(max_size=300), name=st.sampled_from(["", "a.md", "a.csv", "a.html", "a.pdf"]))
@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_any_bytes_are_read_or_refused(data: bytes, name: str) -> None:
    with suppress(Unreadable):
        sound(await MemoryParse().text(data, name))


# Every kind


async def test_kinds_that_need_a_process_are_refused_where_there_is_none(parse: Parse) -> None:
    if isinstance(parse, ProcessParse):
        assert (await parse.text(documents.pdf([["Hello there."]]))).kind == "pdf"
        return
    told = await code(parse, documents.pdf([["Hello there."]]))
    assert told in ("document_elsewhere", "document_reader_missing")


async def test_the_same_bytes_give_the_same_text(parse: Parse) -> None:
    data = b"<html><h1>T</h1><p>" + b"word <i>x</i> " * 10_000
    first, second = await asyncio.gather(parse.text(data), parse.text(data))
    assert first == second
    sound(first)


async def test_a_large_text(parse: Parse) -> None:
    data = ("naïve words of text, many of them\n" * 30_000).encode()
    told = await parse.text(data, "a.txt")
    assert told.text == data.decode().strip("\n")


async def test_who_leaves_holds_nobody_up(parse: Parse) -> None:
    data = b"<html>" + b"<p>text " * 20_000
    gone = asyncio.ensure_future(parse.text(data))
    await asyncio.sleep(0)
    gone.cancel()
    assert (await parse.text(b"stays" * 20_000)).text.startswith("stays")
