"""The edge's `Parse`: a Worker has no processes to bound a library by, and reads what is text."""

from __future__ import annotations

from penstock.ports import Text
from penstock.rag import reading
from penstock.rag.reasons import unreadable
from penstock.rag.sniff import sniff

MOST_BYTES = 5 << 20
"""What the largest tier may send; a Worker's own bounds of time and memory are above what it takes."""


class CloudflareParse:
    """Reads plain text, Markdown, CSV and HTML; other kinds are for a gateway on a server."""

    async def text(self, data: bytes, name: str = "", declared: str = "") -> Text:
        sniffed = sniff(data, name, declared)
        if sniffed.kind not in reading.READERS or len(data) > MOST_BYTES:
            raise unreadable("document_elsewhere", most=MOST_BYTES >> 20)
        return reading.read(sniffed, data)
