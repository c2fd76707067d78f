"""WebSockets as others speak them, through our server and our client: `websockets` at both ends, over loopback."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.http11 import Request as Handshake
from websockets.http11 import Response as Refusal

from penstock.entry import listener as listening
from penstock.entry.listener import Listener
from penstock.errors import Error
from penstock.gateway import reply
from penstock.platforms.http import Http
from penstock.wire.http import Request, Response, Timeouts
from tests.path.world import World

MEGABYTE = 1 << 20
LIMITS = Timeouts(connect=10, first_byte=10, idle=30, total=60)
Behaviour = Callable[[ServerConnection], Awaitable[None]]


async def echo(target: ServerConnection) -> None:
    async for message in target:
        await target.send(message)


class Passing:
    """A gateway that passes what is no path of its own on to one target, as it is."""

    def __init__(self) -> None:
        self.http = Http()
        self.own = World().gateway
        self.url = ""
        self.passed = 0

    async def __call__(self, request: Request) -> Response:
        if not request.path.startswith("/target"):
            return await self.own(request)
        self.passed += 1
        target = self.url.encode() + request.target
        try:
            response = await self.http(replace(request, target=target, timeouts=LIMITS))
            response.headers = [pair for pair in response.headers if pair[0] != "content-length"]
            return response
        except Error as error:
            return reply.error(error, request.path)


class Served:
    """That gateway behind our server; `log` is what the access log is told."""

    def __init__(self) -> None:
        self.gateway = Passing()
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.stop = asyncio.Event()
        self.log: list[tuple[int, dict[str, Any]]] = []
        self.reports: list[BaseException] = []
        self.listener = Listener(
            self.gateway,
            lambda prefix: f"{prefix}1",
            lambda _, error: self.reports.append(error),
            lambda request, status, _: self.log.append((status, dict(request.notes))),
        )
        self.task = asyncio.create_task(self.listener.serve(self.socket, self.stop))

    @property
    def port(self) -> int:
        port: int = self.socket.getsockname()[1]
        return port

    def connect(self, path: str = "/target", **options: Any) -> connect:
        """A client of it; it is no browser's, and says so by no Origin."""
        options.setdefault("ping_interval", None)
        options.setdefault("close_timeout", 30)
        return connect(f"ws://127.0.0.1:{self.port}{path}", proxy=None, **options)

    async def ended(self) -> None:
        self.stop.set()
        await self.task
        await self.gateway.http.close()


@pytest.fixture
async def served(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    monkeypatch.setattr(listening, "GRACE_SECONDS", 0.05)
    made = Served()
    await asyncio.sleep(0)
    yield made
    await made.ended()
    assert (made.gateway.http.busy, made.gateway.http.idle) == (0, 0)
    assert made.reports == []


@asynccontextmanager
async def target(served: Served, behaviour: Behaviour, **options: Any) -> AsyncGenerator[Server]:
    options.setdefault("ping_interval", None)
    async with serve(behaviour, "127.0.0.1", 0, close_timeout=30, **options) as server:
        [at] = server.sockets
        served.gateway.url = f"http://127.0.0.1:{at.getsockname()[1]}"
        yield server


async def within(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a log has no event
            await asyncio.sleep(0)


async def test_echo_and_a_clean_end(served: Served) -> None:
    async with target(served, echo), served.connect() as client:
        for message in ("hello", b"\x00\xff", "", "\N{SNOWMAN}"):
            await client.send(message)
            assert await client.recv() == message
        await client.close(1000, "enough")
        assert client.close_code == 1000
        await within(lambda: served.log)
    [(status, notes)] = served.log
    assert status == 101
    assert notes["received"] > 20
    assert notes["sent"] > 10
    assert "error" not in notes


async def test_the_target_ends_it(served: Served) -> None:
    async def short(connection: ServerConnection) -> None:
        await connection.send("bye")
        await connection.close(4001, "gone home")

    async with target(served, short), served.connect() as client:
        assert await client.recv() == "bye"
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert (client.close_code, client.close_reason) == (4001, "gone home")


async def test_a_thousand_messages_in_order(served: Served) -> None:
    async with target(served, echo), served.connect() as client:

        async def sending() -> None:
            for number in range(1_000):
                await client.send(str(number))

        task = asyncio.create_task(sending())
        assert [await client.recv() for _ in range(1_000)] == [str(n) for n in range(1_000)]
        await task


async def test_large_messages_both_ways(served: Served) -> None:
    message = bytes(range(256)) * (8 * MEGABYTE // 256)
    large: dict[str, Any] = {"max_size": None, "compression": None}
    async with target(served, echo, **large), served.connect(**large) as client:
        for _ in range(2):
            sending = asyncio.create_task(client.send(message))
            assert await client.recv() == message
            await sending


async def test_pings_pass_both_ways(served: Served) -> None:
    answered = asyncio.Event()

    async def pinging(connection: ServerConnection) -> None:
        await (await connection.ping(b"from the target"))
        answered.set()
        await connection.wait_closed()

    async with target(served, pinging), served.connect() as client:
        async with asyncio.timeout(10):
            await (await client.ping(b"from the client"))
            await answered.wait()


async def test_subprotocol_and_extension_are_the_ends_to_agree(served: Served) -> None:
    async with (
        target(served, echo, subprotocols=["b", "c"]),
        served.connect(subprotocols=["a", "b"], compression="deflate") as client,
    ):
        assert client.subprotocol == "b"
        assert client.response is not None
        assert "permessage-deflate" in client.response.headers["sec-websocket-extensions"]
        await client.send("x" * 10_000)
        assert await client.recv() == "x" * 10_000


async def test_headers_and_query_reach_the_target(served: Served) -> None:
    seen: list[Handshake] = []

    async def looking(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.append(connection.request)

    headers = {"authorization": "Bearer x", "origin": "https://app.test"}
    path = "/target/a%20b?c=d"
    async with target(served, looking), served.connect(path, additional_headers=headers) as client:
        await client.wait_closed()
    [request] = seen
    assert request.path == "/target/a%20b?c=d"
    assert (request.headers["authorization"], request.headers["origin"]) == tuple(headers.values())


@pytest.mark.parametrize("slow", ["client", "target"])
async def test_a_slow_reader_slows_the_other_down_and_loses_nothing(
    served: Served, slow: str
) -> None:
    go, sent = asyncio.Event(), 0
    got: list[int] = []
    done = asyncio.Event()

    async def sending(connection: Any) -> None:
        nonlocal sent
        for _ in range(400):
            await connection.send(bytes(MEGABYTE // 8))
            sent += 1

    async def reading(connection: Any) -> None:
        await go.wait()
        got.extend([len(await connection.recv()) for _ in range(400)])
        done.set()

    async def behaviour(connection: ServerConnection) -> None:
        await (reading if slow == "target" else sending)(connection)
        await connection.wait_closed()

    plain: dict[str, Any] = {"compression": None, "max_queue": 1}
    async with target(served, behaviour, **plain), served.connect(**plain) as client:
        mine = asyncio.create_task((reading if slow == "client" else sending)(client))
        before = -1
        while before != sent or not sent:  # until what fits between the two is full
            before = sent
            for _ in range(100):
                await asyncio.sleep(0)
            await asyncio.to_thread(lambda: None)
        assert sent < 400
        go.set()
        async with asyncio.timeout(60):
            await done.wait()
        await mine
    assert got == [MEGABYTE // 8] * 400


def reset(connection: ClientConnection | ServerConnection) -> None:
    """Vanishes by RST, as a process does whose host is gone for good."""
    raw = connection.transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.transport.abort()


async def test_a_client_that_vanishes_is_seen_by_the_target(served: Served) -> None:
    codes: list[int | None] = []

    async def waiting(connection: ServerConnection) -> None:
        await connection.send("there")
        try:
            await connection.recv()
        except ConnectionClosedError:
            codes.append(connection.close_code)

    async with target(served, waiting):
        client = await served.connect()
        assert await client.recv() == "there"
        reset(client)
        await within(lambda: codes and served.log)
        await client.wait_closed()
    assert codes == [1006]
    assert served.log[0][0] == 101


async def test_a_target_that_vanishes_is_seen_by_the_client(served: Served) -> None:
    async def vanishing(connection: ServerConnection) -> None:
        await connection.recv()
        reset(connection)

    async with target(served, vanishing), served.connect() as client:
        await client.send("now")
        async with asyncio.timeout(10):
            with pytest.raises(ConnectionClosedError):
                await client.recv()
        await within(lambda: served.log)
    assert served.log[0][1]["error"] == "upstream_broken"


async def test_a_refusal_of_the_target_is_a_plain_reply(served: Served) -> None:
    def refuse(connection: ServerConnection, request: Handshake) -> Refusal:
        return connection.respond(403, "not you\n")

    async with target(served, echo, process_request=refuse):
        with pytest.raises(InvalidStatus) as refused:
            await served.connect()
    assert (refused.value.response.status_code, refused.value.response.body) == (403, b"not you\n")


async def test_a_target_that_is_away_is_a_502(served: Served) -> None:
    served.gateway.url = "http://127.0.0.1:1"
    with pytest.raises(InvalidStatus) as refused:
        await served.connect()
    assert refused.value.response.status_code == 502


@pytest.mark.parametrize(
    ("path", "status"), [("/livez", 200), ("/v1/models", 401), ("/nothing", 404)]
)
async def test_a_path_of_ours_is_no_tunnel(served: Served, path: str, status: int) -> None:
    async with target(served, echo):
        with pytest.raises(InvalidStatus) as refused:
            await served.connect(path)
    assert refused.value.response.status_code == status
    assert served.gateway.passed == 0


async def test_what_is_smuggled_behind_a_refused_handshake_goes_nowhere(served: Served) -> None:
    def refuse(connection: ServerConnection, request: Handshake) -> Refusal:
        return connection.respond(403, "no\n")

    smuggled = b"GET /target/smuggled HTTP/1.1\r\nhost: x\r\n\r\n"
    ask = (
        b"GET /target HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
        b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    async with target(served, echo, process_request=refuse):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(ask + smuggled)
        told = await reader.read()
        assert told.startswith(b"HTTP/1.1 403 ")
        assert told.count(b"HTTP/1.1 ") == 1
        assert b"connection: close\r\n" in told
        assert served.gateway.passed == 1
        writer.close()


async def test_many_tunnels_at_once_beside_plain_requests(served: Served) -> None:
    async def one(number: int) -> None:
        async with served.connect() as client:
            for turn in range(5):
                await client.send(f"{number} {turn}")
                assert await client.recv() == f"{number} {turn}"

    async def plain() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
        writer.close()

    async with target(served, echo):
        await asyncio.gather(*map(one, range(50)), *(plain() for _ in range(20)))
        await within(lambda: len(served.log) == 70)
    assert served.gateway.http.busy == 0


async def test_a_stop_lets_it_go_on_for_the_grace_and_then_cuts_it(served: Served) -> None:
    served.listener.grace_seconds = 30.0
    async with target(served, echo), served.connect() as client:
        await client.send("before")
        assert await client.recv() == "before"
        served.stop.set()
        await within(lambda: served.listener.closing)
        await client.send("meanwhile")
        assert await client.recv() == "meanwhile"
        await client.close()
        async with asyncio.timeout(10):
            await served.task


async def test_and_is_cut_after_it(served: Served) -> None:
    async with target(served, echo), served.connect() as client:
        await client.send("before")
        assert await client.recv() == "before"
        served.stop.set()
        async with asyncio.timeout(10):
            with pytest.raises(ConnectionClosedError):
                await client.recv()
            await served.task
    assert [status for status, _ in served.log] == [101]
