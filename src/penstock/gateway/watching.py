"""How a document stands, once or as events until its end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from penstock.errors import Error, NotFound, Unavailable
from penstock.gateway.exchange import Exchange
from penstock.gateway.reply import stream_error
from penstock.ledger import days
from penstock.rag import documents
from penstock.rag.documents import Document
from penstock.wire import sse
from penstock.wire.json import encode

if TYPE_CHECKING:
    from penstock.gateway import Gateway

LOOK_SECONDS = 1.0
REVOKED_SECONDS = 10.0
"""Between two questions whether the credential was revoked."""
MOST_SECONDS = 300.0
"""Whoever wants to see more asks again."""


def shown(document: Document) -> dict[str, Any]:
    """A document as its owner sees it."""
    found: dict[str, Any] = {
        "documentId": document.id,
        "filename": document.filename,
        "kind": document.kind,
        "title": document.title,
        "bytes": document.bytes,
        "shared": bool(document.shared),
        "status": document.state,
        "chunks": document.chunks,
        "done": document.done,
        "createdAt": days.iso(document.at),
        "changedAt": days.iso(document.changed_at),
    }
    if document.reason:
        found |= {"reason": document.reason, "message": document.message}
    return found


class Watching:
    """A stream of events: the document as it stands, then each change, and `[DONE]` behind its end."""

    __slots__ = ("_ask_again", "_document", "_end", "_exchange", "_gateway", "_left", "_next")

    def __init__(self, gateway: Gateway, exchange: Exchange, document: Document) -> None:
        now = gateway.platform.clock.tick()
        self._gateway = gateway
        self._exchange = exchange
        self._document = document
        self._next: list[bytes] = [_event(document)]
        self._end = now + MOST_SECONDS
        self._ask_again = now + REVOKED_SECONDS
        self._left = document.over
        if document.over:
            self._next.append(sse.DONE)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._next and not self._left:
            try:
                await self._change()
            except Error as error:
                self._left = True
                self._next = [stream_error(error)]
        if not self._next:
            raise StopAsyncIteration
        return self._next.pop(0)

    async def aclose(self) -> None:
        """It holds nothing."""
        self._left = True
        self._next = []

    async def _change(self) -> None:
        """Waits for the next one; raises NotFound where the document is deleted."""
        clock, was = self._gateway.platform.clock, self._document
        while clock.tick() < self._end:
            await self._gateway.lasting.ingests.wait(was.id, LOOK_SECONDS)
            await self._still_good(clock.tick())
            found = await documents.find(
                self._gateway.platform.tables, (was.owner, was.owner), was.id
            )
            if found is None:
                raise NotFound("The document was deleted.", code="not_found")
            if shown(found) != shown(was):
                self._document, self._left = found, found.over
                self._next = [_event(found), *([sse.DONE] if found.over else [])]
                return
        self._left = True

    async def _still_good(self, now: float) -> None:
        """Raises Unauthorized where the credential was revoked meanwhile."""
        if now < self._ask_again:
            return
        self._ask_again = now + REVOKED_SECONDS
        with suppress(Unavailable):
            await self._gateway.limits.rates.admit(self._exchange.caller, None)


def _event(document: Document) -> bytes:
    return sse.data(encode(shown(document)))
