"""The edge's `Parse`: a Worker has no processes to bound a library by, and reads what is text."""

from __future__ import annotations

from penstock.ports import Text


class CloudflareParse:
    """Reads plain text, Markdown, CSV and HTML; other kinds are for a gateway on a server."""

    async def text(self, data: bytes, name: str = "", declared: str = "") -> Text:
        # Few requests bring a document, and a Worker's start has no time for all this.
        from penstock.rag import reading
        from penstock.rag.reasons import MOST_BYTES_ON_WORKERS, unreadable
        from penstock.rag.sniff import sniff

        sniffed = sniff(data, name, declared)
        if sniffed.kind not in reading.READERS or len(data) > MOST_BYTES_ON_WORKERS:
            raise unreadable("document_elsewhere")
        return reading.read(sniffed, data)
