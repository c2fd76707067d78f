"""Services inside the gateway's process, and under another server: the same answers as over a socket."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

import penstock_services
from penstock.entry.cli.services import NAMES
from penstock.errors import Misconfigured, NotSent, Stalled
from penstock.wire.http import Request, Response, Timeouts
from penstock_services import asgi, settings
from penstock_services.transport import Inside
from tests.services.home import SHARED, never


def test_the_command_line_knows_the_services():
    assert NAMES == penstock_services.NAMES


async def nowhere(request: Request) -> Response:
    return Response(200, [], b"outside " + request.target)


async def echo(request: Request) -> Response:
    told = f"{request.method} {request.path} {request.query} {request.notes}"
    return Response(200, [], told.encode())


async def test_what_is_internal_is_a_call_and_the_rest_goes_out():
    fetch = Inside({"auth": echo}, nowhere)
    inside = Request("GET", b"internal://auth/a%20b?c=d", notes={"theirs": 1})
    assert (await fetch(inside)).body == b"GET /a b c=d {}"
    assert inside.target == b"internal://auth/a%20b?c=d"
    assert (await fetch(Request("GET", b"internal://auth"))).body == b"GET /  {}"
    assert (await fetch(Request("GET", b"https://x.test/"))).body == b"outside https://x.test/"
    with pytest.raises(NotSent):
        await fetch(Request("GET", b"internal://other/"))


async def test_a_service_has_the_time_its_caller_gives_it():
    async def slow(request: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError("it was never woken")

    fetch = Inside({"auth": slow}, nowhere)
    with pytest.raises(Stalled):
        await fetch(Request("GET", b"internal://auth/", timeouts=Timeouts(first_byte=0.01)))


async def test_all_of_them_inside_one_process(tmp_path):
    made = settings.read({}, tmp_path, SHARED)
    async with penstock_services.inside(penstock_services.NAMES, made, never, nowhere) as fetch:
        for name in penstock_services.NAMES:
            reply = await fetch(Request("GET", f"internal://{name}/health".encode()))
            assert (reply.status, reply.body) == (200, b'{"status":"healthy"}')
        reply = await fetch(Request("GET", b"internal://billing/api/billing/subscription"))
        assert reply.status == 401
    names = sorted(file.name for file in (tmp_path / "services").glob("*.sqlite"))
    assert names == ["auth.sqlite", "billing.sqlite", "chat.sqlite"]


def test_a_secret_that_can_be_guessed_is_refused(tmp_path):
    with pytest.raises(Misconfigured, match="SERVICES_SECRET"):
        settings.read({"SERVICES_SECRET": "short"}, tmp_path)


async def test_an_asgi_server_runs_it_from_startup_to_shutdown(monkeypatch, tmp_path):
    monkeypatch.setenv("PENSTOCK_DATA", str(tmp_path))
    app = asgi.chat()
    to_app: asyncio.Queue[Any] = asyncio.Queue()
    said: asyncio.Queue[Any] = asyncio.Queue()
    living = asyncio.ensure_future(app({"type": "lifespan"}, to_app.get, said.put))
    await to_app.put({"type": "lifespan.startup"})
    assert await said.get() == {"type": "lifespan.startup.complete"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        assert (await client.get("/health")).json() == {"status": "healthy"}
        assert (await client.post("/api/chat/completions", json={})).status_code == 401
    await to_app.put({"type": "lifespan.shutdown"})
    assert await said.get() == {"type": "lifespan.shutdown.complete"}
    await living


class Endless:
    """A body that goes on until it is closed."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    def __aiter__(self) -> Endless:
        return self

    async def __anext__(self) -> bytes:
        await asyncio.Event().wait()
        return b""

    async def aclose(self) -> None:
        self.closed.set()


async def test_whoever_leaves_an_asgi_server_closes_the_stream():
    body = Endless()

    @asynccontextmanager
    async def opened():
        yield answer

    async def answer(request: Request) -> Response:
        assert await request.read(100) == b"hello"
        return Response(200, [], body)

    app = asgi.application(opened)
    living: asyncio.Queue[Any] = asyncio.Queue()
    said: asyncio.Queue[Any] = asyncio.Queue()
    life = asyncio.ensure_future(app({"type": "lifespan"}, living.get, said.put))
    await living.put({"type": "lifespan.startup"})
    await said.get()
    scope = {
        "type": "http", "method": "POST", "path": "/", "raw_path": b"/", "query_string": b"",
        "headers": [(b"content-length", b"5")], "client": ("127.0.0.1", 1),
    }  # fmt: skip
    asked: asyncio.Queue[Any] = asyncio.Queue()
    await asked.put({"type": "http.request", "body": b"hello"})
    answering = asyncio.ensure_future(app(scope, asked.get, said.put))
    assert (await said.get())["status"] == 200
    await asked.put({"type": "http.disconnect"})
    await answering
    assert body.closed.is_set()
    await living.put({"type": "lifespan.shutdown"})
    await life
