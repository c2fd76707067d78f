"""Files and forms that nobody should have to read: each refused with a reason, and nothing of it found or left."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from time import process_time
from typing import Any

import pytest

from penstock.rag.reasons import REASONS
from penstock.wire import multipart
from tests.documents import LAUGHS, SEALED, deflated, docx, lying, package, pdf, word
from tests.path.documents import UPLOAD, Documents, formed
from tests.path.world import body

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100
TIERS = "[tiers.free]\ndocument_bytes = 20_971_520\ndocuments = 100\n[server]\nmax_body_bytes = 30_000_000\n"

BAD: dict[str, tuple[bytes, str, str]] = {
    "empty": (b"  \n", "x.txt", "document_empty"),
    "nothing": (b"", "x.txt", "document_empty"),
    "picture": (PNG, "x.png", "document_unsupported"),
    "misnamed": (pdf([["Hello."]]), "x.docx", "document_misnamed"),
    "cut": (docx(word("Hello."))[:200], "x.docx", "document_corrupt"),
    "archive": (package({"a.txt": "a"}), "x.zip", "document_unsupported"),
    "latin": ("Gr\u00fc\u00dfe aus K\u00f6ln".encode("latin-1"), "x.txt", "document_not_utf8"),
    "entities": (docx(word("Hello."), before=LAUGHS), "x.docx", "document_unsafe"),
    "bomb": (
        lying(docx(word("Hello.")), "word/document.xml", deflated(200 << 20, wrapped=False), 200 << 20),
        "x.docx", "document_bomb",
    ),
    "scanned": (pdf([[]]), "x.pdf", "document_scanned"),
    "encrypted": (pdf([["Hello."]], trailer=SEALED), "x.pdf", "document_encrypted"),
    "pages": (pdf([["x"]] * 2_001), "x.pdf", "document_too_many_pages"),
    "binary": (b"\0\1\2\3" * 100, "x.md", "document_unsupported"),
}  # fmt: skip


@pytest.fixture
async def world() -> AsyncIterator[Documents]:
    # Where there are no processes this cannot be imported, and no test asks for it.
    from penstock.platforms.parse.process import ProcessParse
    from penstock.platforms.world import RealClock

    made = Documents(TIERS)
    parse = ProcessParse(RealClock())
    made.on(parse=parse)
    yield made
    await parse.aclose()


@pytest.mark.skipif(sys.platform == "emscripten", reason="no processes there")
@pytest.mark.parametrize("name", BAD)
async def test_a_bad_file_fails_with_its_reason_and_leaves_nothing(
    world: Documents, name: str
) -> None:
    data, filename, code = BAD[name]
    response = await world.send(data, filename)
    told = await body(response)
    assert (response.status, told["code"]) == (422, code)
    assert told["detail"].split()[0] == REASONS[code].split()[0]
    state = await world.document(told["documentId"])
    assert (state["status"], state["reason"]) == ("failed", code)
    assert state["message"] == told["detail"]
    assert await world.counts() == {"entries": 0, "documents": 1, "passages": 0}
    assert await world.platform.blobs.get(f"documents/{told['documentId']}/0") is None
    assert await world.found("hello") == []


@pytest.mark.skipif(sys.platform == "emscripten", reason="no processes there")
async def test_a_file_of_an_office_is_read_and_found(world: Documents) -> None:
    assert (await world.send(docx(word("A walrus.")), "walrus.docx")).status == 201
    assert await world.found("walrus") == ["walrus.docx"]


def form(parts: bytes, boundary: str = "fence") -> tuple[str, bytes]:
    return f"multipart/form-data; boundary={boundary}", parts


HEAD = b'content-disposition: form-data; name="file"; filename="x.txt"\r\n'
FORMS: dict[str, tuple[str, bytes]] = {
    "no boundary": ("multipart/form-data", b""),
    "empty": form(b""),
    "only the end": form(b"--fence--\r\n"),
    "another boundary": form(b"--other\r\n" + HEAD + b"\r\nx\r\n--other--\r\n"),
    "without an end": form(b"--fence\r\n" + HEAD + b"\r\nx"),
    "cut in the headers": form(b"--fence\r\n" + HEAD),
    "bare line feeds": form(b"--fence\n" + HEAD + b"\nx\n--fence--\n"),
    "a preamble": form(b"hello\r\n--fence\r\n" + HEAD + b"\r\nx\r\n--fence--\r\n"),
    "an epilogue": form(b"--fence\r\n" + HEAD + b"\r\nx\r\n--fence--\r\nmore"),
    "a part without a name": form(b"--fence\r\ncontent-type: a/b\r\n\r\nx\r\n--fence--\r\n"),
    "an encoded part": form(b"--fence\r\n" + HEAD + b"content-transfer-encoding: base64\r\n\r\neA==\r\n--fence--\r\n"),
    "a header twice": form(b"--fence\r\n" + HEAD + HEAD + b"\r\nx\r\n--fence--\r\n"),
    "a folded header": form(b"--fence\r\n" + HEAD + b" more\r\n\r\nx\r\n--fence--\r\n"),
    "long headers": form(b"--fence\r\n" + HEAD + b"x: " + b"y" * 3_000 + b"\r\n\r\nx\r\n--fence--\r\n"),
    "a NUL in a header": form(b"--fence\r\n" + HEAD + b"x: \0\r\n\r\nx\r\n--fence--\r\n"),
    "not UTF-8": form(b'--fence\r\ncontent-disposition: form-data; name="\xff"\r\n\r\nx\r\n--fence--\r\n'),
    "a hundred thousand parts": form(b"--fence\r\n" + (HEAD + b"\r\nx\r\n--fence\r\n") * 100_000 + b"--"),
    "the same field twice": formed([("file", "a.txt", b"a"), ("file", "b.txt", b"b")]),
    "a long boundary": form(b"--" + b"x" * 71 + b"--", "x" * 71),
    "no file": formed([("shared", None, b"true")]),
    "a word for a truth": formed([("file", "a.txt", b"a"), ("shared", None, b"yes")]),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
async def test_a_bad_form_is_refused_in_no_time(name: str) -> None:
    world = Documents(TIERS)
    kind, data = FORMS[name]
    began = process_time()
    response = await world.ask(UPLOAD, data, headers=[("content-type", kind)])
    took = process_time() - began
    told: Any = await body(response)
    assert response.status == 400, told
    # 50 ms on a machine of its own; there the clock counts what others do too.
    assert took < 0.5 or sys.platform == "emscripten"
    assert (await world.counts())["documents"] == 0


def test_a_form_is_read_as_it_is() -> None:
    kind, data = formed([("file", "a b.txt", b"\r\n--fenc\r\n\0\xff"), ("empty", None, b"")])
    file, empty = multipart.parts(data, kind)
    assert (file.name, file.filename, file.data) == ("file", "a b.txt", b"\r\n--fenc\r\n\0\xff")
    assert (empty.name, empty.filename, empty.data) == ("empty", None, b"")
