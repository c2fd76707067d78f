"""What `Fetch` promises of a tunnel, once a WebSocket's handshake was answered with one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from penstock.errors import Broken
from penstock.platforms.http import Http
from penstock.platforms.memory.duplex import pair
from penstock.platforms.memory.world import FakeFetch
from penstock.wire.http import Duplex, Request, Response
from penstock.wire.websocket import accept_of, asks, key_of
from tests.contract.fetch.handshakes import MEGABYTE, SWITCHED, ask, read, stuck, tunnel_of
from tests.contract.fetch.peer import Call, peer, until


class Wire:
    """A target's end of a tunnel over a socket."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if data := await self._call.reader.read(65_536):
            return data
        raise StopAsyncIteration

    async def send(self, data: bytes) -> None:
        await self._call.send(data)

    async def end(self) -> None:
        self._call.writer.write_eof()

    async def aclose(self) -> None:
        self._call.writer.close()


Behaviour = Callable[[Duplex], Coroutine[Any, Any, None]]
Ask = Callable[[Behaviour], Awaitable[Response]]


@asynccontextmanager
async def scripted(behaviour: Behaviour) -> AsyncGenerator[Response]:
    """A tunnel that a test's own script answers with."""
    ours, theirs = pair()
    target = asyncio.ensure_future(behaviour(theirs))

    def handler(request: Request) -> Response:
        assert asks(request)
        return Response(
            101, [("sec-websocket-accept", accept_of(key_of(request))), ("x-one", "1")], ours
        )

    try:
        yield await FakeFetch(handler)(ask("http://target.test"))
    finally:
        target.cancel()
        await asyncio.gather(target, return_exceptions=True)


@asynccontextmanager
async def real(behaviour: Behaviour) -> AsyncGenerator[Response]:
    """A tunnel to a target on a socket."""

    async def serve(call: Call) -> None:
        await call.request()
        await call.send(SWITCHED)
        await behaviour(Wire(call))

    http = Http()
    async with peer(serve) as target:
        response = await http(ask(target.url))
        yield response
        await response.aclose()
        await http.close()
    assert (http.busy, http.idle) == (0, 0)


@pytest.fixture(params=["own client", "memory"])
async def asked(request: pytest.FixtureRequest) -> AsyncIterator[Ask]:
    """Asks for a tunnel to a target that behaves as told, by each `Fetch` that has tunnels."""
    opened = scripted if request.param == "memory" else real
    async with AsyncExitStack() as stack:
        yield lambda behaviour: stack.enter_async_context(opened(behaviour))


async def echo(target: Duplex) -> None:
    async for data in target:
        await target.send(data)
    await target.end()


async def test_what_is_sent_arrives_and_what_is_answered_comes(asked: Ask) -> None:
    response = await asked(echo)
    assert response.header("x-one") == "1"
    tunnel = tunnel_of(response)
    for data in (b"one", b"\x00\xff", b"HTTP/1.1 200 OK\r\n\r\n"):
        await tunnel.send(data)
        assert await read(tunnel, len(data)) == data


async def test_megabytes_pass_both_ways_at_once(asked: Ask) -> None:
    tunnel = tunnel_of(await asked(echo))
    data = bytes(range(256)) * 16_384

    async def sending() -> None:
        for start in range(0, len(data), 100_000):
            await tunnel.send(data[start : start + 100_000])
        await tunnel.end()

    task = asyncio.create_task(sending())
    assert b"".join([part async for part in tunnel]) == data
    await task


async def test_a_sender_waits_for_a_reader(asked: Ask) -> None:
    go = asyncio.Event()
    taken = 0

    async def late(target: Duplex) -> None:
        nonlocal taken
        await go.wait()
        async for data in target:
            taken += len(data)

    tunnel = tunnel_of(await asked(late))
    sent = 0

    async def sending() -> None:
        nonlocal sent
        for _ in range(200):
            await tunnel.send(bytes(MEGABYTE // 2))
            sent += MEGABYTE // 2
        await tunnel.end()

    task = asyncio.create_task(sending())
    await stuck(lambda: sent)
    assert sent < 50 * MEGABYTE
    go.set()
    await task
    await until(lambda: taken == 100 * MEGABYTE)


async def test_half_an_end_leaves_the_other_half(asked: Ask) -> None:
    async def counting(target: Duplex) -> None:
        size = sum([len(data) async for data in target])
        await target.send(b"%d" % size)
        await target.end()

    tunnel = tunnel_of(await asked(counting))
    await tunnel.send(b"abc")
    await tunnel.end()
    assert [data async for data in tunnel] == [b"3"]


async def test_the_targets_end_is_the_iterations(asked: Ask) -> None:
    async def short(target: Duplex) -> None:
        await target.send(b"bye")
        await target.end()
        async for _ in target:
            pass

    tunnel = tunnel_of(await asked(short))
    assert b"".join([data async for data in tunnel]) == b"bye"
    await tunnel.send(b"still heard")


async def test_who_closes_is_seen_and_reads_no_more(asked: Ask) -> None:
    seen = asyncio.Event()

    async def waiting(target: Duplex) -> None:
        await target.send(b"unread")
        async for _ in target:
            pass
        seen.set()

    response = await asked(waiting)
    tunnel = tunnel_of(response)
    reading = asyncio.create_task(read(tunnel, 100))
    await asyncio.sleep(0)
    await response.aclose()
    await response.aclose()
    with pytest.raises((StopAsyncIteration, RuntimeError)):
        await reading
    with pytest.raises(StopAsyncIteration):
        await anext(tunnel)
    with pytest.raises(Broken):
        await tunnel.send(b"x")
    async with asyncio.timeout(5):
        await seen.wait()


async def test_a_cancelled_read_loses_nothing(asked: Ask) -> None:
    tunnel = tunnel_of(await asked(echo))
    reading = asyncio.ensure_future(anext(tunnel))
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await tunnel.send(b"one")
    assert await read(tunnel, 3) == b"one"
