"""Texts read in this process: what is pure code, on every home."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from penstock.ports import DocumentKind, Text
from penstock.rag import encodings, plain
from penstock.rag.canonical import Writer
from penstock.rag.html import read_html
from penstock.rag.sniff import Sniffed

READERS: Mapping[DocumentKind, Callable[[str, Writer], None]] = {
    "text": plain.read_text,
    "markdown": plain.read_markdown,
    "csv": plain.read_csv,
    "html": read_html,
}


def read(sniffed: Sniffed, data: bytes) -> Text:
    """The canonical text of a kind that has a reader here; raises Unreadable."""
    to = Writer()
    READERS[sniffed.kind](encodings.decode(data, sniffed.codec), to)
    return to.text(sniffed.kind)
