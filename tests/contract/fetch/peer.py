"""A target that does exactly what a test says, byte by byte, and what the tests send to it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from penstock.wire.http import Request, Response, Timeouts, collect

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
TURNS = 10
"""Of the loop, within which a connection that was just accepted is known, and closed: a client may leave its side open."""
PATIENT = Timeouts(connect=10, first_byte=10, idle=10)


def sized(body: bytes, *lines: str) -> bytes:
    """A whole reply with a content-length."""
    extra = "".join(f"{line}\r\n" for line in lines).encode("latin-1")
    return HEAD + extra + b"content-length: %d\r\n\r\n%b" % (len(body), body)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Call:
    """One connection as its target sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def request(self) -> bytes:
        """The next request, head and body as they came; empty once the client has gone."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        lower = head.lower()
        if b"\r\ntransfer-encoding: chunked\r\n" in lower:
            return head + await self._chunks()
        if b"\r\ncontent-length: " in lower:
            size = int(lower.split(b"\r\ncontent-length: ")[1].split(b"\r\n")[0])
            return head + await self.reader.readexactly(size)
        return head

    async def _chunks(self) -> bytes:
        came = b""
        while not came.endswith(b"\r\n0\r\n\r\n") and came != b"0\r\n\r\n":
            came += await self.reader.readuntil(b"\r\n")
        return came

    async def send(self, *pieces: bytes) -> None:
        """Each piece is a write of its own, seen by the client before the next one."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def closed(self) -> None:
        """Returns once the client has closed; what it sends until then is lost."""
        try:
            while await self.reader.read(65_536):
                pass
        except ConnectionError:
            pass

    def reset(self) -> None:
        """Ends the connection by RST."""
        raw: socket.socket = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Serve = Callable[[Call], Awaitable[None]]


class Peer:
    """A listening target; `calls` counts its connections."""

    def __init__(self, serve: Serve) -> None:
        self.url = ""
        self.calls = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self.made: list[Call] = []
        self._serve = serve

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.calls += 1
        self.made.append(Call(reader, writer))
        task = asyncio.get_running_loop().create_task(self._run(self.made[-1]))
        self.tasks.add(task)

    async def _run(self, call: Call) -> None:
        try:
            await self._serve(call)
        except ConnectionError:
            pass
        finally:
            call.writer.close()


@asynccontextmanager
async def peer(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    made = Peer(serve)
    server = await asyncio.start_server(made.accept, "127.0.0.1", 0, ssl=tls, limit=1 << 20)
    port = server.sockets[0].getsockname()[1]
    made.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield made
    finally:
        server.close()
        for task in made.tasks:
            task.cancel()
        await asyncio.gather(*made.tasks, return_exceptions=True)
        for _ in range(TURNS):
            for call in made.made:
                call.writer.transport.abort()
            await asyncio.sleep(0)


def always(*pieces: bytes) -> Serve:
    """A target that answers every request of a connection with these writes."""

    async def serve(call: Call) -> None:
        while await call.request():
            await call.send(*pieces)

    return serve


def once(*pieces: bytes) -> Serve:
    """A target that answers one request with these writes and closes."""

    async def serve(call: Call) -> None:
        await call.request()
        await call.send(*pieces)

    return serve


def post(url: str, body: Any = b"{}", **fields: Any) -> Request:
    fields.setdefault("timeouts", PATIENT)
    return Request("POST", url.encode(), body=body, **fields)


def get(url: str, **fields: Any) -> Request:
    fields.setdefault("timeouts", PATIENT)
    return Request("GET", url.encode(), **fields)


async def content(response: Response, limit: int = 1 << 30) -> bytes:
    """The whole body, however it comes; closes the response."""
    try:
        if isinstance(response.body, bytes):
            return response.body
        return await collect(response.body, limit)
    finally:
        await response.aclose()


async def until(condition: Callable[[], object]) -> None:
    """Returns once it holds, and fails after five seconds without."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the client has no event for what it keeps
            await asyncio.sleep(0)
