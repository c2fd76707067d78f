"""Stopping: whoever is being answered is answered, and whoever cannot be is told."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import pytest

from penstock.entry import listener as module
from penstock.entry.listener import Listener
from penstock.ports import Fetch
from penstock.wire.http import Request, Response
from tests.inbound import Held, Pieces, turns

ASK = b"GET /x HTTP/1.1\r\nhost: penstock.test\r\n\r\n"


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


class Served:
    """A listener on a socket of its own."""

    def __init__(self, gateway: Fetch) -> None:
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.stop = asyncio.Event()
        self.log: list[int] = []
        self.listener = Listener(
            gateway, lambda prefix: f"{prefix}1", lambda *_: None, lambda _, status, __: self.log.append(status)
        )  # fmt: skip
        self.task = asyncio.create_task(self.listener.serve(self.socket, self.stop))

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        await asyncio.sleep(0)
        return await asyncio.open_connection(*self.socket.getsockname()[:2])

    async def ended(self) -> None:
        self.stop.set()
        await self.task


@pytest.fixture
async def held() -> Held:
    return Held()


async def test_what_is_idle_is_closed_and_what_is_answered_is_not(held: Held) -> None:
    served = Served(held)
    idle, idle_writer = await served.connect()
    busy, busy_writer = await served.connect()
    busy_writer.write(ASK)
    await held.begun.wait()
    served.stop.set()
    assert await idle.read() == b""
    held.go.set()
    told = await busy.read()
    assert told.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"connection: close\r\n" in told
    await served.task
    for writer in (idle_writer, busy_writer):
        await closed(writer)


async def test_nobody_new_is_let_in(held: Held) -> None:
    served = Served(held)
    _, writer = await served.connect()
    writer.write(ASK)
    await held.begun.wait()
    served.stop.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    with pytest.raises(OSError, match=r"."):
        await served.connect()
    held.go.set()
    await served.task
    await closed(writer)


async def test_a_stream_that_outlasts_the_grace_ends_with_an_error_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.01)
    body = Pieces(b"data: 1\n\n")

    async def gateway(request: Request) -> Response:
        return Response(200, [("content-type", "text/event-stream")], body)

    served = Served(gateway)
    reader, writer = await served.connect()
    writer.write(ASK)
    await reader.readuntil(b"data: 1\n\n")
    await served.ended()
    rest = await reader.read()
    assert b'data: {"error":{' in rest
    assert b"service_unavailable" in rest
    assert b"[DONE]" not in rest
    assert rest.endswith(b"0\r\n\r\n")
    assert body.closed == 1
    await closed(writer)


async def test_a_request_that_outlasts_the_grace_is_cancelled_and_told(
    monkeypatch: pytest.MonkeyPatch, held: Held
) -> None:
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.01)
    served = Served(held)
    reader, writer = await served.connect()
    writer.write(ASK)
    await held.begun.wait()
    await served.ended()
    told = await reader.read()
    assert told.startswith(b"HTTP/1.1 503 ")
    assert b"x-should-retry: false\r\n" in told
    assert b"connection: close\r\n" in told
    assert b'"service_unavailable"' in told
    assert (held.cancelled, served.log) == (1, [503])
    await closed(writer)


async def test_a_reply_that_is_read_slowly_is_not_cut_off() -> None:
    async def gateway(request: Request) -> Response:
        return Response(200, [], b"x" * 20_000)

    served = Served(gateway)
    reader, writer = await served.connect()
    await turns()
    [connection] = served.listener.connections
    # Nothing is read, until what the system holds is full and the next reply waits in this process.
    asked = 0
    while not connection._transport.get_write_buffer_size():
        asked += 1
        writer.write(ASK)
        await turns()
    writer.write(ASK[:-2] + b"connection: close\r\n\r\n")
    await turns()
    served.stop.set()
    await turns(10)
    told = await reader.read()
    assert told.count(b"HTTP/1.1 200 OK\r\n") == asked + 1
    assert told.endswith(b"x" * 20_000)
    await served.task
    await closed(writer)


async def test_a_client_that_closes_its_side_gets_an_answer_that_is_ready() -> None:
    async def ready(request: Request) -> Response:
        return Response(200, [], request.path.encode())

    served = Served(ready)
    reader, writer = await served.connect()
    writer.write(ASK)
    writer.write_eof()
    assert (await reader.read()).endswith(b"/x")
    await closed(writer)
    await served.ended()


async def test_and_one_that_has_to_wait_ends_its_request(held: Held) -> None:
    served = Served(held)
    reader, writer = await served.connect()
    writer.write(ASK)
    writer.write_eof()
    assert await reader.read() == b""
    await closed(writer)
    await served.ended()
    assert held.cancelled == 1
    assert served.log == [499]
