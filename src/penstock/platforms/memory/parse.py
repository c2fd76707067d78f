"""A `Parse` without processes: it reads texts, and has no library for other kinds."""

from __future__ import annotations

from penstock.ports import Text
from penstock.rag import reading
from penstock.rag.reasons import unreadable
from penstock.rag.sniff import CALLED, sniff


class MemoryParse:
    """Reads plain text, Markdown, CSV and HTML, here and now."""

    async def text(self, data: bytes, name: str = "", declared: str = "") -> Text:
        sniffed = sniff(data, name, declared)
        if sniffed.kind not in reading.READERS:
            raise unreadable("document_reader_missing", kind=CALLED[sniffed.kind])
        return reading.read(sniffed, data)
