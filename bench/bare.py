"""The bare pass-through: a minimal ASGI app and an upstream client, nothing else. `CLIENT` and `UPSTREAM` are in the environment."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Post = Callable[[str, bytes, Send], Awaitable[None]]

HEADERS = {"content-type": "application/json", "authorization": "Bearer sk-fake"}
EVENTS = "text/event-stream"


async def begin(send: Send, status: int, kind: str, size: int | None = None) -> None:
    headers = [(b"content-type", kind.encode())]
    if size is not None:
        headers.append((b"content-length", b"%d" % size))
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def piece(send: Send, body: bytes, more: bool) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


def by_aiohttp() -> Post:
    import aiohttp

    connector = aiohttp.TCPConnector(limit=0)
    session = aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
    )

    async def post(url: str, body: bytes, send: Send) -> None:
        async with session.post(url, data=body, headers=HEADERS) as reply:
            if reply.content_type != EVENTS:
                whole = await reply.read()
                await begin(send, reply.status, reply.content_type, len(whole))
                await piece(send, whole, more=False)
                return
            await begin(send, reply.status, EVENTS)
            async for part in reply.content.iter_any():
                await piece(send, part, more=True)
            await piece(send, b"", more=False)

    return post


def by_httpx() -> Post:
    import httpx

    unbound = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    client = httpx.AsyncClient(limits=unbound, timeout=60)

    async def post(url: str, body: bytes, send: Send) -> None:
        reply = await client.post(url, content=body, headers=HEADERS)
        await begin(send, reply.status_code, "application/json", len(reply.content))
        await piece(send, reply.content, more=False)

    return post


def by_pyreqwest() -> Post:
    from pyreqwest.client import ClientBuilder

    client = ClientBuilder().error_for_status(False).default_headers(HEADERS).build()

    async def post(url: str, body: bytes, send: Send) -> None:
        reply = await client.post(url).body_bytes(body).build().send()
        whole = bytes(await reply.bytes())
        await begin(send, reply.status, "application/json", len(whole))
        await piece(send, whole, more=False)

    return post


CLIENTS: dict[str, Callable[[], Post]] = {
    "aiohttp": by_aiohttp,
    "httpx": by_httpx,
    "pyreqwest": by_pyreqwest,
}


class Bare:
    """The ASGI app; its client is made on the first request, inside the loop."""

    def __init__(self) -> None:
        self._post: Post | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if self._post is None:
            self._post = CLIENTS[os.environ["CLIENT"]]()
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        await self._post(os.environ["UPSTREAM"] + scope["path"], body, send)


app = Bare()
