"""Connections to the HTTP server without a socket: what a client sends goes in as bytes, what it gets is read back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httptools

from penstock.entry.connection import Connection
from penstock.entry.listener import Listener
from penstock.entry.writer import Outbox
from penstock.errors import Error
from penstock.gateway import reply
from penstock.ports import Fetch
from penstock.wire.http import JSON, Request, Response

CLIENT = ("192.0.2.1", 5)
HOST = "host: penstock.test\r\n"


async def echo(request: Request) -> Response:
    """What a gateway does with errors, and else says what it was asked."""
    try:
        body = await request.read(1 << 20)
    except Error as error:
        return reply.error(error, request.path)
    told = {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "body": body.decode("latin-1"),
    }
    return Response(200, [JSON], json.dumps(told).encode())


def post(body: str, *headers: str, target: str = "/x") -> bytes:
    lines = "".join(f"{header}\r\n" for header in headers)
    return (
        f"POST {target} HTTP/1.1\r\n{HOST}{lines}content-length: {len(body)}\r\n\r\n{body}".encode()
    )


@dataclass
class Reply:
    """One response as its client read it."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    whole: bool = False


class Line(asyncio.Transport):
    """The server's side of a connection: keeps what is written, and ends when told."""

    def __init__(self) -> None:
        super().__init__({"peername": CLIENT})
        self.written: list[bytes] = []
        self.closing = self.aborted = False
        self.reading = True
        self.waiting = 0
        self.half = False
        self.lost: Callable[[Exception | None], None] = lambda _: None

    def write(self, data: Any) -> None:
        assert not self.closing
        self.written.append(bytes(data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.half = True

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            if not self.waiting:
                asyncio.get_running_loop().call_soon(self.lost, None)

    def abort(self) -> None:
        self.aborted, self.waiting = True, 0
        self.closing = False
        self.close()

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Visitor:
    """A client on a line of its own."""

    def __init__(self, connection: Connection, line: Line) -> None:
        self.connection, self.line = connection, line
        self.methods: list[str] = []

    async def send(self, data: bytes) -> None:
        """Sends bytes and lets the server work until it waits."""
        self.connection.data_received(data)
        await turns()

    async def get(self, target: str = "/", *headers: tuple[str, str], method: str = "GET") -> Reply:
        """One whole request, and its reply."""
        hosts = [] if "host" in dict(headers) else ["host: penstock.test"]
        lines = [f"{method} {target} HTTP/1.1", *hosts, *map(": ".join, headers)]
        before = len(self.replies())
        await self.send(("\r\n".join(lines) + "\r\n\r\n").encode())
        return self.replies()[before]

    async def end(self) -> None:
        """Sends no more, and may read on: the transport closes unless the connection keeps it."""
        if not self.connection.eof_received():
            self.line.close()
        await turns()

    async def leave(self) -> None:
        self.line.closing = True
        self.connection.connection_lost(None)
        await turns()

    @property
    def received(self) -> bytes:
        return b"".join(self.line.written)

    def replies(self) -> list[Reply]:
        """All responses so far, the last perhaps not whole."""
        return read_replies(self.received)


class Server:
    """A listener that nobody connects to but visitors; its time passes by `run`."""

    def __init__(self, gateway: Fetch) -> None:
        self.lines: list[tuple[Request, int]] = []
        self.reports: list[BaseException] = []
        numbers = count()
        self.listener = Listener(
            gateway,
            lambda prefix: f"{prefix}{next(numbers)}",
            lambda _, error: self.reports.append(error),
            lambda request, status, seconds: self.lines.append((request, status)),
        )
        self.listener.outbox = Outbox(asyncio.get_running_loop())
        self.listener.sweep()

    def visitor(self) -> Visitor:
        line = Line()
        connection = Connection(self.listener)
        line.lost = connection.connection_lost
        connection.connection_made(line)
        return Visitor(connection, line)

    async def run(self, seconds: int) -> None:
        """Time passes as the server counts it."""
        for _ in range(seconds):
            self.listener.sweep()
            await turns(8)

    async def stop(self) -> None:
        """Ends all that is left, as a test's end."""
        for connection in tuple(self.listener.connections):
            if connection.task is not None:
                connection.task.cancel()
            connection.close()
        await turns()


async def turns(number: int = 40) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


class _Reader:
    def __init__(self) -> None:
        self.replies: list[Reply] = []

    def on_message_begin(self) -> None:
        self.replies.append(Reply())

    def on_header(self, name: bytes, value: bytes) -> None:
        self.replies[-1].headers[name.decode().lower()] = value.decode("latin-1")

    def on_body(self, data: bytes) -> None:
        self.replies[-1].body += data

    def on_message_complete(self) -> None:
        self.replies[-1].whole = True


def read_replies(data: bytes) -> list[Reply]:
    """Responses one after another, as a client's parser reads them."""
    reader = _Reader()
    parser = httptools.HttpResponseParser(reader)
    reader.on_headers_complete = lambda: setattr(  # type: ignore[attr-defined]  # needs the parser
        reader.replies[-1], "status", parser.get_status_code()
    )
    parser = httptools.HttpResponseParser(reader)
    parser.feed_data(data)
    return [reply for reply in reader.replies if reply.status != 100]


class Held:
    """A gateway whose every request waits for the test."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.cancelled = 0

    async def __call__(self, request: Request) -> Response:
        self.seen.append(request.path)
        self.begun.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Response(200, [], request.path.encode())


class Pieces:
    """A body of a stream, fed by the test."""

    def __init__(self, *pieces: bytes) -> None:
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.pulled = self.closed = 0
        for piece in pieces:
            self.queue.put_nowait(piece)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = await self.queue.get()
        if piece is None:
            raise StopAsyncIteration
        self.pulled += 1
        return piece

    async def aclose(self) -> None:
        self.closed += 1


def streaming(body: Pieces, kind: str = "text/event-stream; charset=utf-8") -> Server:
    async def gateway(request: Request) -> Response:
        request.notes["id"] = "req_stream"
        return Response(200, [("content-type", kind)], body)

    return Server(gateway)
