"""The sending side of one inbound connection: heads, bodies, streams, at the pace of who reads them."""

from __future__ import annotations

import asyncio

from penstock.entry.heads import BODILESS, head_of
from penstock.wire import sse
from penstock.wire.http import Response, Stream

KEEP_ALIVE_SECONDS = 15.0
"""A silent stream of events says so often that it lives; the sweep that sees to it comes once a second."""
STUCK_SECONDS = 60.0
"""How long a reader may take none of what waits for it."""
CLOSE = b"connection: close\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"


class Writer:
    """Writes responses one after another. `begun` says that some of the present one is out."""

    __slots__ = ("_chunked", "_events", "_full", "_sent_at", "_stuck_since", "_transport", "begun")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._full: asyncio.Future[None] | None = None
        self._stuck_since = 0.0
        self._sent_at = 0.0
        self._events = False
        self._chunked = False
        self.begun = False

    async def send(
        self, response: Response, *, bare: bool, chunked: bool, close: bool, date: bytes
    ) -> None:
        """The whole of a response: `bare` without its body (HEAD), `close` where none follows it."""
        body = response.body
        more = [date, CLOSE] if close else [date]
        if isinstance(body, bytes):
            if response.status not in BODILESS:
                more.append(b"content-length: %d\r\n" % len(body))
            head = head_of(response.status, response.headers, more)
            self.begun = True
            self._transport.write(head if bare else head + body)
            if self._full is not None:
                await self._full
            return
        if chunked:
            more.append(CHUNKED)
        await self._stream(head_of(response.status, response.headers, more), body, bare, chunked)

    async def _stream(self, head: bytes, body: Stream, bare: bool, chunked: bool) -> None:
        # Nothing is sent before the first piece: a failure until then is an honest status.
        first = b"" if bare else await anext(body, b"")
        self._chunked = chunked
        self._events = b"\ncontent-type: text/event-stream" in head
        self.begun = True
        write = self._transport.write
        write(head + self._framed(first))
        if bare:
            return
        clock = asyncio.get_running_loop().time
        self._sent_at = clock()
        try:
            async for piece in body:
                write(self._framed(piece))
                self._sent_at = clock()
                if self._full is not None:
                    await self._full
        finally:
            self._events = False
        if chunked:
            write(b"0\r\n\r\n")

    def _framed(self, piece: bytes) -> bytes:
        if not self._chunked:
            return piece
        return b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""

    def break_off(self, event: bytes) -> None:
        """Ends a stream of events with one that says why, after what is out already."""
        if self._events:
            self._events = False
            self._transport.write(self._framed(event) + (b"0\r\n\r\n" if self._chunked else b""))

    def pause(self) -> None:
        """The reader is slower than what is written."""
        loop = asyncio.get_running_loop()
        self._full = self._full or loop.create_future()
        self._stuck_since = loop.time()

    def resume(self) -> None:
        full, self._full = self._full, None
        if full is not None and not full.done():
            full.set_result(None)

    def check(self, now: float) -> bool:
        """Keeps a silent stream alive; False where its reader has taken nothing for too long."""
        if self._full is not None:
            return now - self._stuck_since < STUCK_SECONDS
        if self._events and now - self._sent_at >= KEEP_ALIVE_SECONDS - 1:
            self._transport.write(self._framed(sse.KEEP_ALIVE))
            self._sent_at = now
        return True
