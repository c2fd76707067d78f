"""What kind of document some bytes are; the name chooses only between kinds of text."""

from __future__ import annotations

import re
from typing import NamedTuple

from penstock.ports import MOST_DOCUMENT_BYTES, DocumentKind
from penstock.rag import encodings, zips
from penstock.rag.reasons import unreadable

TEXTS: tuple[DocumentKind, ...] = ("text", "markdown", "csv", "html")
CALLED: dict[DocumentKind, str] = {
    "text": "plain text",
    "markdown": "Markdown",
    "csv": "CSV",
    "html": "HTML",
    "pdf": "PDF",
    "docx": "DOCX",
    "pptx": "PPTX",
    "xlsx": "XLSX",
    "epub": "EPUB",
}
SUFFIXES: dict[str, DocumentKind] = {
    **dict.fromkeys(("txt", "text", "log", "rst", "json", "jsonl", "xml", "yaml", "yml"), "text"),
    **dict.fromkeys(("md", "markdown", "mdx"), "markdown"),
    **dict.fromkeys(("csv", "tsv"), "csv"),
    **dict.fromkeys(("html", "htm", "xhtml"), "html"),
    "pdf": "pdf",
    **dict.fromkeys(("docx", "docm", "dotx", "dotm"), "docx"),
    **dict.fromkeys(("pptx", "pptm", "ppsx", "potx", "ppsm"), "pptx"),
    **dict.fromkeys(("xlsx", "xlsm", "xltx", "xltm"), "xlsx"),
    "epub": "epub",
}
_OFFICE = "application/vnd.openxmlformats-officedocument."
TYPES: dict[str, DocumentKind] = {
    "text/markdown": "markdown",
    "text/x-markdown": "markdown",
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "text/html": "html",
    "application/xhtml+xml": "html",
    "application/pdf": "pdf",
    _OFFICE + "wordprocessingml.document": "docx",
    _OFFICE + "presentationml.presentation": "pptx",
    _OFFICE + "spreadsheetml.sheet": "xlsx",
    "application/epub+zip": "epub",
}
"""Declared types that say something; text/plain and application/octet-stream are sent for anything."""

PICTURE, SOUND, PACKED, PROGRAM = "a picture", "sound or film", "an archive", "a program"
OLD_OFFICE = "a document of Office before 2007 (save it as DOCX, PPTX or XLSX)"
UNKNOWN = "of an unknown kind"
OPEN = "an OpenDocument file (save it as DOCX, PPTX, XLSX or PDF)"
_MAGICS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n", PICTURE),
    (b"\xff\xd8\xff", PICTURE),
    (b"GIF8", PICTURE),
    (b"BM", PICTURE),
    (b"II*\0", PICTURE),
    (b"MM\0*", PICTURE),
    (b"RIFF", "a picture, sound or film"),
    (b"OggS", SOUND),
    (b"ID3", SOUND),
    (b"fLaC", SOUND),
    (b"\x1aE\xdf\xa3", SOUND),
    (b"\x1f\x8b", PACKED),
    (b"BZh", PACKED),
    (b"\xfd7zXZ\0", PACKED),
    (b"7z\xbc\xaf", PACKED),
    (b"Rar!", PACKED),
    (b"\x28\xb5\x2f\xfd", PACKED),
    (b"MZ", PROGRAM),
    (b"\x7fELF", PROGRAM),
    (b"SQLite format 3\0", "a database"),
)
_OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SEALED = "EncryptedPackage".encode("utf-16-le")
_RTF = b"{\\rtf"
_ZIPPED: dict[str, DocumentKind] = {"word/": "docx", "ppt/": "pptx", "xl/": "xlsx"}
_PDF_WITHIN = 1_024
_PDF = b"%PDF-"
_HTML = re.compile(
    rb"\s{0,500}(<\?xml[^>]{0,200}>\s{0,99})?(<!--.{0,1000}?-->\s{0,99})?<(!doctype\s{1,9}html|html)\b",
    re.I | re.S,
)
_CONTROLS = re.compile(rb"[\0-\x07\x0e-\x1a\x1c-\x1f]")
_STRAY_SHARE = 0.01
"""Control characters that a text may have picked up; they are left out."""


class Sniffed(NamedTuple):
    """The kind, and for texts the codec that the file or its sender names (empty: none)."""

    kind: DocumentKind
    codec: str = ""


def sniff(data: bytes, name: str = "", declared: str = "") -> Sniffed:
    """From the first and last bytes, in little time whatever the size; Unreadable where it is no document of ours."""
    if not data or data.isspace():
        raise unreadable("document_empty")
    if len(data) > MOST_DOCUMENT_BYTES:
        raise unreadable("document_too_large")
    kind = _binary(data)
    said = _said(name, declared)
    if kind is not None:
        _agree(kind, said)
        return Sniffed(kind)
    codec = encodings.named(data, declared)
    _check_text(data[: encodings.HEAD_BYTES], codec)
    if said is not None and said not in TEXTS:
        _agree("text", said)
    return Sniffed("html" if _HTML.match(_start(data)) else said or "text", codec)


def _start(data: bytes) -> bytes:
    return data[: encodings.HEAD_BYTES].removeprefix(b"\xef\xbb\xbf")


def _said(name: str, declared: str) -> DocumentKind | None:
    """What its name says, or its declared type where the name says nothing."""
    suffix = name.rpartition(".")[2].lower()
    return SUFFIXES.get(suffix) or TYPES.get(declared.partition(";")[0].strip().lower())


def _agree(kind: DocumentKind, said: DocumentKind | None) -> None:
    if said is not None and said != kind:
        raise unreadable("document_misnamed", said=CALLED[said], kind=CALLED[kind])


def _binary(data: bytes) -> DocumentKind | None:
    """The kind that its first bytes show; none for what may be text."""
    if data.startswith(b"PK\3\4") or data.startswith(b"PK\5\6"):
        return _zipped(data)
    if _start(data[:_PDF_WITHIN]).lstrip().startswith(_PDF):
        if zips.ends(data):
            raise unreadable("document_ambiguous")
        return "pdf"
    if data.startswith(_OLD):
        if _SEALED in data:
            raise unreadable("document_encrypted")
        raise unreadable("document_unsupported", kind=OLD_OFFICE)
    _refuse_known(data)
    return None


def _refuse_known(data: bytes) -> None:
    if data.startswith(_RTF):
        raise unreadable("document_unsupported", kind="RTF (save it as DOCX or PDF)")
    if not _CONTROLS.search(data[:512]):
        return
    if data[4:8] == b"ftyp":
        raise unreadable("document_unsupported", kind="a picture, sound or film")
    for magic, kind in _MAGICS:
        if data.startswith(magic):
            raise unreadable("document_unsupported", kind=kind)


def _zipped(data: bytes) -> DocumentKind:
    parts = zips.parts(data)
    if _PDF in data[:_PDF_WITHIN]:
        raise unreadable("document_ambiguous")
    if "META-INF/container.xml" in parts:
        return "epub"
    kinds = {kind for folder, kind in _ZIPPED.items() if _has(parts, folder)}
    if kinds and "[Content_Types].xml" in parts:
        if len(kinds) > 1:
            raise unreadable("document_ambiguous")
        if "xl/workbook.bin" in parts:
            raise unreadable("document_unsupported", kind="XLSB (save it as XLSX)")
        return kinds.pop()
    if "mimetype" in parts and "content.xml" in parts:
        raise unreadable("document_unsupported", kind=OPEN)
    raise unreadable("document_unsupported", kind=PACKED)


def _has(parts: zips.Parts, folder: str) -> bool:
    return any(name.startswith(folder) and name.count("/") == 1 for name in parts)


def _check_text(head: bytes, codec: str) -> None:
    """Refuses what no text begins with."""
    if codec.startswith(("utf-16", "utf-32")):
        head = head.decode(codec, "ignore").encode("utf-8", "ignore")
    if b"\0" in head or len(_CONTROLS.findall(head)) > len(head) * _STRAY_SHARE:
        if _PDF in head[:_PDF_WITHIN]:
            raise unreadable("document_ambiguous")
        raise unreadable("document_unsupported", kind=UNKNOWN)
