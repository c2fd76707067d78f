"""A service as an ASGI application, for whoever serves such: `uvicorn --factory penstock_services.asgi:auth`."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any

from penstock.ports import Fetch
from penstock.wire.http import Request, Response
from penstock_services import settings
from penstock_services.home import opened

LOG = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
Opening = Callable[[], AbstractAsyncContextManager[Fetch]]


def auth() -> App:
    """The auth service by the environment; its data is in PENSTOCK_DATA or ./.penstock."""
    return application(lambda: _opened("auth"))


def chat() -> App:
    """The chat service, likewise."""
    return application(lambda: _opened("chat"))


def billing() -> App:
    """The billing service, likewise."""
    return application(lambda: _opened("billing"))


def application(open: Opening) -> App:
    """An ASGI application that has its `Fetch` from lifespan's startup to its shutdown."""
    held: list[Fetch] = []

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(open, held, receive, send)
        elif scope["type"] == "http":
            await _answer(held[-1], scope, receive, send)
        else:
            raise ValueError("This application speaks HTTP.")

    return app


def report(request_id: str, error: BaseException) -> None:
    """An error nobody foresaw, by its kind."""
    LOG.error("Request %s ended with %s.", request_id, type(error).__name__)


def _opened(name: str) -> AbstractAsyncContextManager[Fetch]:
    data = Path(os.environ.get("PENSTOCK_DATA") or ".penstock")
    return opened(name, settings.read(os.environ, data), report)


async def _live(open: Opening, held: list[Fetch], receive: Receive, send: Send) -> None:
    await receive()
    async with AsyncExitStack() as stack:
        held.append(await stack.enter_async_context(open()))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        held.clear()
    await send({"type": "lifespan.shutdown.complete"})


async def _answer(fetch: Fetch, scope: Message, receive: Receive, send: Send) -> None:
    body = Incoming(receive)
    response = await fetch(_request(scope, body))
    leaving = asyncio.ensure_future(body.left())
    sending = asyncio.ensure_future(_send(response, send))
    try:
        await asyncio.wait({leaving, sending}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
    finally:
        for task in (leaving, sending):
            task.cancel()
        await asyncio.gather(leaving, sending, return_exceptions=True)
        await asyncio.shield(response.aclose())


def _request(scope: Message, body: Incoming) -> Request:
    query = scope["query_string"]
    raw = scope.get("raw_path") or scope["path"].encode()
    headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"]]
    client = (scope.get("client") or ("",))[0]
    target = raw + (b"?" + query if query else b"")
    named = {name for name, _ in headers}
    empty = not named & {"content-length", "transfer-encoding"}
    return Request(
        scope["method"], target, scope["path"], query.decode("latin-1"), headers, client,
        b"" if empty else body,
    )  # fmt: skip


async def _send(response: Response, send: Send) -> None:
    headers = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in response.headers]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if isinstance(response.body, bytes):
        await send({"type": "http.response.body", "body": response.body})
        return
    async for piece in response.body:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


class Incoming:
    """The body of an ASGI request as a Stream."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ended = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._ended:
            raise StopAsyncIteration
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("The client has left.")
        self._ended = not message.get("more_body", False)
        return bytes(message.get("body", b""))

    async def aclose(self) -> None:
        self._ended = True

    async def left(self) -> None:
        """Returns when the client has left; what it still sends is thrown away."""
        while (await self._receive())["type"] != "http.disconnect":
            continue
