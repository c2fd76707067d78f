"""ASGI → the gateway's Request and Response, for CPython's servers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from penstock.errors import BadRequest, Broken
from penstock.gateway.reply import error
from penstock.ports import Fetch
from penstock.wire import sse
from penstock.wire.http import Request, Response

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Log = Callable[[Request, Response, float], None]
Report = Callable[[str, BaseException], None]
"""Told the request id, where there is one, and an error nobody foresaw."""

WATCH_AFTER = 0.05
"""Seconds after which a request is long enough to watch for its client leaving: shorter ones end by themselves."""
KEEP_ALIVE = 15.0
CLIENT_GONE = 499
"""What the log says of a request whose client left before there was a reply."""
HELD = 256 << 10
"""Body bytes read at once before they are handed on."""


def _unreported(request_id: str, error: BaseException) -> None:
    """For who serves without a log: the server still closes the connection."""


class Body:
    """A request body that is still arriving."""

    __slots__ = ("_first", "_receive", "done")

    def __init__(self, receive: Receive, first: bytes) -> None:
        self._receive = receive
        self._first = first
        self.done = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._first:
            part, self._first = self._first, b""
            return part
        if self.done:
            raise StopAsyncIteration
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        self.done = not message.get("more_body")
        return message.get("body", b"")  # type: ignore[no-any-return]  # ASGI says bytes

    async def aclose(self) -> None:
        self.done = True


class ClientGone(Broken):
    """The client left before its request was whole."""


class Exchange:
    """One request and its response on an ASGI connection; ends when sent, or when its client leaves."""

    __slots__ = (
        "_gateway",
        "_gone",
        "_log",
        "_receive",
        "_report",
        "_response",
        "_send",
        "_sent_at",
        "_streams",
        "_timer",
        "_watcher",
    )

    def __init__(
        self, gateway: Fetch, receive: Receive, send: Send, log: Log | None, report: Report
    ) -> None:
        self._gateway = gateway
        self._receive = receive
        self._send = send
        self._log = log
        self._report = report
        self._watcher: asyncio.Task[None] | None = None
        self._response = Response(CLIENT_GONE)
        self._gone = False
        self._sent_at = 0.0
        self._streams = False

    async def run(self, scope: Scope) -> None:
        started = time.perf_counter()
        request = await _request(scope, self._receive)
        task = asyncio.current_task()
        assert task is not None
        body = request.body if isinstance(request.body, Body) else None
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER, self._watch, task, body)
        try:
            self._response = _unroutable(scope, request) or await self._gateway(request)
            await self._deliver(request, self._response)
        except asyncio.CancelledError:
            # By the watcher: the client is gone and nobody waits for this task. Else by the server.
            if not self._gone:
                raise
        except ClientGone:
            self._gone = True
        except Exception as error:
            # The server closes the connection; its own log would hold what callers sent.
            self._report(str(self._response.notes.get("id", "")), error)
            raise
        finally:
            await self._end(request, task, started)

    async def _end(self, request: Request, task: asyncio.Task[Any], started: float) -> None:
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        await _close(self._response, task)
        if self._log is not None:
            self._response.notes["gone"] = self._gone
            self._log(request, self._response, time.perf_counter() - started)

    async def _deliver(self, request: Request, response: Response) -> None:
        send, body = self._send, response.body
        headers = [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers
        ]
        start = {"type": "http.response.start", "status": response.status, "headers": headers}
        if isinstance(body, bytes):
            headers.append((b"content-length", str(len(body)).encode()))
            await send(start)
            await send(
                {"type": "http.response.body", "body": b"" if request.method == "HEAD" else body}
            )
            return
        # Nothing is sent before the first piece: a failure until then is an honest status.
        first = await anext(body, b"")
        await send(start)
        await send({"type": "http.response.body", "body": first, "more_body": True})
        self._streams = True
        self._sent_at = asyncio.get_running_loop().time()
        async for piece in body:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            self._sent_at = asyncio.get_running_loop().time()
        self._streams = False
        await send({"type": "http.response.body", "body": b""})

    def _watch(self, task: asyncio.Task[Any], body: Body | None) -> None:
        if body is not None and not body.done:
            # The body's reader sees the client leave by itself.
            self._timer = asyncio.get_running_loop().call_later(
                WATCH_AFTER, self._watch, task, body
            )
            return
        self._watcher = asyncio.create_task(self._until_gone(task))

    async def _until_gone(self, task: asyncio.Task[Any]) -> None:
        """Cancels the request when its client leaves; meanwhile keeps a silent stream alive, beside its reader."""
        loop = asyncio.get_running_loop()
        leaving = asyncio.ensure_future(self._receive())
        try:
            while True:
                done, _ = await asyncio.wait((leaving,), timeout=KEEP_ALIVE / 3)
                if done:
                    if leaving.result()["type"] == "http.disconnect":
                        self._gone = True
                        task.cancel()
                        return
                    leaving = asyncio.ensure_future(self._receive())
                elif self._streams and loop.time() - self._sent_at >= KEEP_ALIVE * 2 / 3:
                    await self._send(
                        {"type": "http.response.body", "body": sse.KEEP_ALIVE, "more_body": True}
                    )
                    self._sent_at = loop.time()
        finally:
            leaving.cancel()


def asgi(
    gateway: Fetch, log: Log | None = None, report: Report = _unreported
) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """An ASGI application that serves a gateway."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await Exchange(gateway, receive, send, log, report).run(scope)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            raise RuntimeError("the server must run with lifespan off")

    return app


async def _request(scope: Scope, receive: Receive) -> Request:
    message = await receive()
    data: bytes = message.get("body", b"")
    more = message.get("more_body", False)
    target: bytes = scope.get("raw_path") or scope["path"].encode()
    client = scope.get("client")
    query: bytes = scope["query_string"]
    return Request(
        scope["method"],
        target + b"?" + query if query else target,
        scope["path"],
        query.decode("latin-1"),
        [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]],
        client[0] if client else "",
        Body(receive, data) if more else data,
    )


def _unroutable(scope: Scope, request: Request) -> Response | None:
    """RFC 9112 §3.2: a request of HTTP/1.1 names one host, or is refused."""
    hosts = [name for name, _ in request.headers].count("host")
    if hosts == 1 or (hosts == 0 and scope.get("http_version") != "1.1"):
        return None
    return error(BadRequest("Send exactly one Host header.", code="invalid_header"), request.path)


async def _close(response: Response, task: asyncio.Task[Any]) -> None:
    """Closes a response whatever happens to this task: a cancellation in between waits until it is closed."""
    if isinstance(response.body, bytes):
        return
    closing = asyncio.ensure_future(response.aclose())
    while not closing.done():
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            task.uncancel()
