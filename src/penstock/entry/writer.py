"""The sending side of one inbound connection: heads, bodies, streams, at the pace of who reads them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from penstock.entry.heads import BODILESS, head_of
from penstock.wire import sse
from penstock.wire.http import Response, Stream

KEEP_ALIVE_SECONDS = 15.0
"""A silent stream of events says so often that it lives; the sweep that sees to it comes once a second."""
STUCK_SECONDS = 60.0
"""How long a reader may take none of what waits for it."""
MOST_GATHERED = 64 << 10
"""Bytes that may wait for the end of a turn of the loop."""
CLOSE = b"connection: close\r\n"
KEEP = b"connection: keep-alive\r\n"
LENGTH = "content-length"
CHUNKED = b"transfer-encoding: chunked\r\n"


class Outbox:
    """Gathers what a turn of the loop writes, on all connections, and sends it at its end.

    Written one by one, each reply would wake its reader by itself: where that is another process, one at a time.
    """

    __slots__ = ("_loop", "_writers", "now")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.now = 0.0
        """Seconds the server has run, counted by its sweeps: one that was stopped for a while is late for nothing."""
        self._writers: list[Writer] = []

    def add(self, writer: Writer) -> None:
        if not self._writers:
            self._loop.call_soon(self._send)
        self._writers.append(writer)

    def _send(self) -> None:
        writers, self._writers = self._writers, []
        for writer in writers:
            writer.flush()


class Measured:
    """A stream that must be as long as its head says: what follows it on the connection is another response."""

    __slots__ = ("_body", "_left")

    def __init__(self, body: Stream, length: int) -> None:
        self._body = body
        self._left = length

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._body.__anext__()
        except StopAsyncIteration:
            if self._left:
                raise ValueError("a response is shorter than its head says") from None
            raise
        self._left -= len(piece)
        if self._left < 0:
            raise ValueError("a response is longer than its head says")
        return piece

    async def aclose(self) -> None:
        await self._body.aclose()


class Writer:
    """Writes responses one after another. `begun` says that some of the present one is out."""

    __slots__ = ("_chunked", "_events", "_full", "_gathered", "_left", "_outbox", "_sent_at", "_size", "_stuck_since", "_transport",
                 "begun")  # fmt: skip

    def __init__(self, transport: asyncio.Transport, outbox: Outbox) -> None:
        self._transport = transport
        self._outbox = outbox
        self._gathered: list[bytes] = []
        self._size = 0
        self._full: asyncio.Future[None] | None = None
        self._left = -1
        self._stuck_since = 0.0
        self._sent_at = 0.0
        self._events = False
        self._chunked = False
        self.begun = False

    async def send(
        self, response: Response, *, bare: bool, chunked: bool, close: bool, date: bytes
    ) -> None:
        """The whole of a response: `bare` without its body (HEAD), `close` where none follows it.

        A stream whose headers say how long it is goes out as that long, and so does the answer to a HEAD.
        """
        body = response.body
        more = [CLOSE] if close else [] if chunked else [KEEP]
        if isinstance(body, bytes):
            told = bare and response.header(LENGTH) is not None
            if response.status not in BODILESS and not told:
                more.append(b"content-length: %d\r\n" % len(body))
            head = head_of(response.status, response.headers, date, more)
            self.begun = True
            self.write(head if bare else head + body)
            if self._full is not None:
                await self._full
            return
        length = response.header(LENGTH)
        if length is not None:
            body, chunked = Measured(body, int(length)), False
        if chunked:
            more.append(CHUNKED)
        head = head_of(response.status, response.headers, date, more)
        await self._stream(head, body, bare, chunked, events=not response.verbatim)

    async def _stream(
        self, head: bytes, body: Stream, bare: bool, chunked: bool, *, events: bool
    ) -> None:
        # Nothing is sent before the first piece: a failure until then is an honest status. Of somebody else's events the
        # head goes first: it is an answer by itself.
        told = b"\ncontent-type: text/event-stream" in head
        first = b"" if bare or (told and not events) else await anext(body, b"")
        self._chunked = chunked
        self._events = events and told
        self.begun = True
        write = self.write
        write(head + self._framed(first))
        if bare:
            return
        outbox = self._outbox
        self._sent_at = outbox.now
        async for piece in body:
            write(self._framed(piece))
            self._sent_at = outbox.now
            if self._full is not None:
                await self._full
        self._events = False
        if chunked:
            write(b"0\r\n\r\n")

    def write(self, data: bytes) -> None:
        """Sends some bytes at the end of this turn."""
        gathered = self._gathered
        if not gathered:
            self._outbox.add(self)
        gathered.append(data)
        self._size += len(data)
        if self._size > MOST_GATHERED:
            self.flush()

    async def drained(self) -> None:
        """Returns once the reader has taken enough of what was written."""
        if self._full is not None:
            await self._full

    def flush(self) -> None:
        """Sends what was gathered, now."""
        gathered, self._gathered = self._gathered, []
        self._size = 0
        if gathered and not self._transport.is_closing():
            self._transport.write(gathered[0] if len(gathered) == 1 else b"".join(gathered))

    def close(self) -> None:
        """The connection ends once what was written is sent."""
        self.flush()
        self._transport.close()

    def give_up(self) -> None:
        """A part of the present reply must not pass for the whole; those before it still go out."""
        if self.begun:
            self._transport.abort()
        else:
            self.close()

    def _framed(self, piece: bytes) -> bytes:
        if not self._chunked:
            return piece
        return b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""

    def break_off(self, event: bytes) -> None:
        """Ends a stream of events with one that says why, after what is out already."""
        if self._events:
            self._events = False
            self.write(self._framed(event) + (b"0\r\n\r\n" if self._chunked else b""))

    def pause(self) -> None:
        """The reader is slower than what is written."""
        self._full = self._full or asyncio.get_running_loop().create_future()
        self._left, self._stuck_since = -1, self._outbox.now

    def resume(self) -> None:
        full, self._full = self._full, None
        if full is not None and not full.done():
            full.set_result(None)

    def check(self) -> bool:
        """Keeps a silent stream alive; False where its reader has taken nothing for too long."""
        now = self._outbox.now
        if self._full is not None or self._transport.is_closing():
            left = self._transport.get_write_buffer_size()
            if left != self._left:
                self._left, self._stuck_since = left, now
            return now - self._stuck_since < STUCK_SECONDS
        if self._events and now - self._sent_at >= KEEP_ALIVE_SECONDS - 1:
            self.write(self._framed(sse.KEEP_ALIVE))
            self._sent_at = now
        return True
