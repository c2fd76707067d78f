"""Why a document cannot be read: fixed codes, each with a sentence that its sender can act on.

A sentence has gaps for our own limits and names of kinds alone, never for what the file or its reader said.
"""

from __future__ import annotations

from collections.abc import Mapping

from penstock.errors import Unreadable
from penstock.ports import MOST_CHARACTERS, MOST_DOCUMENT_BYTES, MOST_PAGES, MOST_UNPACKED_BYTES

INSTALL = "pip install 'penstock[documents]'"
MOST_PARTS = 10_000
MOST_BYTES_ON_WORKERS = 5 << 20
"""What the largest tier may send; a Worker's own bounds of time and memory are above what that takes."""
READ = "PDF, DOCX, PPTX, XLSX, EPUB, HTML, Markdown, CSV and plain text are read"

REASONS: Mapping[str, str] = {
    "document_empty": "The file has no text in it: send one that has.",
    "document_too_large": "The file is over {most} MB: send it in parts.",
    "document_too_long": "Its text is over {most} million characters: send it in parts.",
    "document_too_many_pages": "It has more than {most} pages: split it, and send the parts.",
    "document_encrypted": "The file is encrypted: save it without a password, and send that.",
    "document_corrupt": "The file is damaged or cut short: open it, save it anew, and send that.",
    "document_scanned": "Its pages are pictures without text, as a scanner makes them: run text recognition (OCR) on it first.",
    "document_bomb": "Unpacked it is over {most} MB or in over {parts} parts, more than any document: save it without what it embeds.",
    "document_unsafe": "It names files outside of itself or declares entities, as no office program does: save it anew, and send that.",
    "document_ambiguous": "It is two kinds of file in one: send the one that is meant by itself.",
    "document_misnamed": "Its name or type says {said}, and its bytes say {kind}: name it as what it is.",
    "document_unsupported": "It is {kind}, which is not read: {read}.",
    "document_not_utf8": "Its text is not UTF-8, and nothing says which encoding it is: save it as UTF-8.",
    "document_too_slow": "It could not be read in {most} seconds: split it, and send the parts.",
    "document_too_complex": "Reading it took more than {most} MB of memory, or ended abnormally: save it anew, or split it.",
    "document_reader_missing": "This gateway lacks its reader of {kind}: whoever runs it installs that by {install}.",
    "document_interrupted": "It did not arrive whole, or work on it was cut off three times: send it again.",
    "document_elsewhere": "This gateway runs on Workers and reads texts up to {most} MB: send this file to one on a server, or send its text.",
}  # fmt: skip


_MOST: Mapping[str, int] = {
    "document_too_large": MOST_DOCUMENT_BYTES >> 20,
    "document_too_long": MOST_CHARACTERS // 1_000_000,
    "document_too_many_pages": MOST_PAGES,
    "document_elsewhere": MOST_BYTES_ON_WORKERS >> 20,
    "document_bomb": MOST_UNPACKED_BYTES // 1_000_000,
}


def unreadable(code: str, **gaps: str | int) -> Unreadable:
    """The refusal of that code, with what its sentence has gaps for; limits that are the same everywhere are known here."""
    known: dict[str, str | int] = {"kind": "another kind", "said": "another kind"}
    known |= {"most": _MOST.get(code, 0), "parts": MOST_PARTS, "install": INSTALL, "read": READ}
    return Unreadable(REASONS[code].format_map(known | gaps), code=code)
