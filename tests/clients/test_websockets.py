"""WebSockets through a whole gateway, a process of its own: the `websockets` library at both ends, over loopback."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.http11 import Request as Handshake
from websockets.http11 import Response as Refusal

from tests.clients.process import SECRET, Penstock, token, until

CONFIG = """
[auth]
issuers = [{{ mode = "hs256", secret = "{secret}" }}]
[server]
grace_seconds = 0.2
[cors]
origins = ["https://app.example"]
[services.live]
prefixes = ["/live"]
limit = "1000000/h"
cache = {{ ttl = 60 }}
backends = [{backends}]
"""
Behaviour = Callable[[ServerConnection], Awaitable[None]]
SECONDS = 30.0


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


class Live:
    """A gateway before WebSocket servers."""

    def __init__(self, gateway: Penstock, servers: Sequence[Server]) -> None:
        self.gateway = gateway
        self.servers = servers
        self.token = token("alice")

    def connect(self, path: str = "/live/x", **options: Any) -> connect:
        """A client with a token; it is no browser's, and says so by no Origin."""
        headers = {"authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        settings = {"ping_interval": None, "close_timeout": SECONDS, **options}
        url = self.gateway.url.replace("http://", "ws://") + path
        return connect(url, proxy=None, additional_headers=headers, **settings)

    async def backends(self) -> list[dict[str, Any]]:
        """How they stand, as an operator sees it."""
        headers = {"authorization": f"Bearer {token('root', scope='admin')}"}
        async with httpx.AsyncClient(timeout=SECONDS) as client:
            told = await client.get(f"{self.gateway.url}/admin/services", headers=headers)
        found: list[dict[str, Any]] = told.json()["services"][0]["backends"]
        return found

    async def logged(self, number: int) -> list[dict[str, Any]]:
        """The lines of so many handshakes, once they are written."""

        def lines() -> list[dict[str, Any]] | None:
            found = [one for one in self.gateway.access() if one["path"].startswith("/live")]
            return found if len(found) >= number else None

        found: list[dict[str, Any]] = await asyncio.to_thread(until, lines, SECONDS)
        return found


@asynccontextmanager
async def live(
    home: Path, *behaviours: Behaviour, more: str = "", away: int = 0, **options: Any
) -> AsyncGenerator[Live]:
    """A server for each behaviour, and `away` addresses where nobody listens, behind one gateway."""
    servers = [
        await serve(one, "127.0.0.1", 0, ping_interval=None, close_timeout=SECONDS, **options)
        for one in behaviours
    ]
    ports = [next(iter(one.sockets)).getsockname()[1] for one in servers] + [1] * away
    listed = ", ".join(f'{{ url = "http://127.0.0.1:{port}", health = "" }}' for port in ports)
    gateway = Penstock(home, CONFIG.format(secret=SECRET, backends=listed) + more)
    try:
        await asyncio.to_thread(gateway.start)
        yield Live(gateway, servers)
    finally:
        complaints = await asyncio.to_thread(gateway.stop)
        for server in servers:
            server.close()
            await server.wait_closed()
    assert not complaints


def reset(connection: ClientConnection | ServerConnection) -> None:
    """Vanishes by RST, as a process does whose host is gone for good."""
    raw = connection.transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.transport.abort()


@pytest.fixture
def home(fresh_home: Callable[[str], Path]) -> Path:
    return fresh_home("websockets")


async def test_echo_large_messages_and_a_clean_end(home: Path) -> None:
    large: dict[str, Any] = {"max_size": None, "compression": None}
    message = bytes(range(256)) * 16_384
    async with live(home, echo, **large) as at:
        async with at.connect(**large) as client:
            for said in ("hello", b"\x00\xff", "", "\N{SNOWMAN}", message):
                sending = asyncio.create_task(client.send(said))
                assert await client.recv() == said
                await sending
            await client.close(1000, "enough")
        assert client.close_code == 1000
        [line] = await at.logged(1)
        [backend] = await at.backends()
    assert (line["status"], line["service"]) == (101, "live")
    assert line["received"] > len(message)
    assert line["sent"] > len(message)
    assert not {"error", "cache"} & line.keys()
    assert (backend["requests"], backend["in_air"]) == ({"1xx": 1}, 0)


async def test_what_the_backend_gets_and_answers(home: Path) -> None:
    seen: list[Handshake] = []

    async def looking(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.append(connection.request)
        await connection.recv()

    def cookies(connection: ServerConnection, request: Handshake, response: Refusal) -> Refusal:
        response.headers["Set-Cookie"] = "a=b"
        return response

    options: dict[str, Any] = {"subprotocols": ["b", "c"], "process_response": cookies}
    async with live(home, looking, **options) as at:
        headers = {"x-forwarded-for": "203.0.113.9", "connection": "x-secret", "x-secret": "1"}
        path = "/live/a%20b?c=d"
        async with at.connect(path, subprotocols=["a", "b"], headers=headers) as client:
            assert client.subprotocol == "b"
            assert client.response is not None
            assert "permessage-deflate" in client.response.headers["sec-websocket-extensions"]
            assert client.response.headers["set-cookie"] == "a=b"
            assert client.response.headers["x-ratelimit-limit-requests"]
            await client.send("done")
    [request] = seen
    assert request.path == path
    assert request.headers["authorization"] == f"Bearer {at.token}"
    assert request.headers["x-forwarded-for"] == "127.0.0.1"
    assert "x-secret" not in request.headers


async def test_either_side_that_vanishes_is_seen_by_the_other(home: Path) -> None:
    codes: list[int | None] = []

    async def behaviour(connection: ServerConnection) -> None:
        try:
            if await connection.recv() == "go":
                reset(connection)
            else:
                await connection.send("there")
                await connection.recv()
        except ConnectionClosedError:
            codes.append(connection.close_code)

    async with live(home, behaviour) as at:
        async with at.connect() as client, asyncio.timeout(SECONDS):
            await client.send("go")
            with pytest.raises(ConnectionClosedError):
                await client.recv()
        client = await at.connect()
        await client.send("stay")
        assert await client.recv() == "there"
        reset(client)
        await client.wait_closed()
        lines = await at.logged(2)
        [backend] = await at.backends()
    assert codes == [1006]
    assert [line["status"] for line in lines] == [101, 101]
    assert lines[0]["error"] == "upstream_broken"
    assert (backend["state"], backend["failures_in_a_row"]) == ("up", 0)


async def test_before_the_handshake_another_backend_is_tried_after_it_none(home: Path) -> None:
    opened: list[str] = []

    def naming(name: str) -> Behaviour:
        async def behaviour(connection: ServerConnection) -> None:
            opened.append(name)
            await connection.send(name)
            if await connection.recv() == "die":
                reset(connection)

        return behaviour

    async with live(home, naming("one"), naming("two"), away=1) as at:
        for _ in range(12):
            async with at.connect() as client:
                assert await client.recv() in {"one", "two"}
                await client.send("bye")
        assert len(opened) == 12
        async with at.connect() as client, asyncio.timeout(SECONDS):
            await client.recv()
            await client.send("die")
            with pytest.raises(ConnectionClosedError):
                await client.recv()
        assert len(opened) == 13
        states = [one["state"] for one in await at.backends()]
    assert states[:2] == ["up", "up"]


async def test_a_refusal_passes_and_a_backend_that_is_away_is_a_502(home: Path) -> None:
    def refuse(connection: ServerConnection, request: Handshake) -> Refusal:
        return connection.respond(403, "not you\n")

    async with live(home, echo, process_request=refuse) as at:
        with pytest.raises(InvalidStatus) as refused:
            await at.connect()
        told = refused.value.response
        assert (told.status_code, told.body) == (403, b"not you\n")
        at.token = "none"
        with pytest.raises(InvalidStatus) as refused:
            await at.connect()
        assert refused.value.response.status_code == 401
        at.token = token("alice")
        at.servers[0].close()
        await at.servers[0].wait_closed()
        with pytest.raises(InvalidStatus) as refused:
            await at.connect()
        assert refused.value.response.status_code == 502


async def test_a_page_elsewhere_may_not_open_one(home: Path) -> None:
    async with live(home, echo) as at:
        for origin in ("https://app.example", at.gateway.url):
            async with at.connect(origin=origin) as client:
                await client.send("x")
                assert await client.recv() == "x"
        with pytest.raises(InvalidStatus) as refused:
            await at.connect(origin="https://evil.example")
        assert json.loads(refused.value.response.body or b"")["code"] == "websocket_origin"


async def test_silence_ends_it(home: Path) -> None:
    async with live(home, echo, more="websockets = { idle = 0.3 }\n") as at:
        async with at.connect() as client, asyncio.timeout(SECONDS):
            with pytest.raises(ConnectionClosed):
                await client.recv()
        [line] = await at.logged(1)
    assert line["error"] == "upstream_timeout"


async def test_a_stop_cuts_it_after_the_grace(home: Path) -> None:
    async with live(home, echo) as at, at.connect() as client:
        await client.send("x")
        assert await client.recv() == "x"
        stopping = asyncio.create_task(asyncio.to_thread(at.gateway.stop))
        async with asyncio.timeout(SECONDS):
            with pytest.raises(ConnectionClosedError):
                await client.recv()
        assert not await stopping
