"""One inbound connection: requests one after another, each answered before the next is begun."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import cast

import httptools

from penstock.entry.body import HELD, Body
from penstock.entry.closing import closed
from penstock.entry.heads import NAMES, HeadTooSlow, fault
from penstock.entry.incoming import Incoming
from penstock.entry.service import Service
from penstock.entry.tunnel import Tunnel
from penstock.entry.writer import Writer
from penstock.errors import BadRequest, Error, Failed, HeaderTooLarge, Refused, Unavailable
from penstock.gateway import reply
from penstock.wire import websocket
from penstock.wire.http import Request, Response
from penstock.wire.target import path_of

HEAD_BYTES = 64 << 10
"""Beyond the first read, which the loop bounds at 256 KB."""
BEGINS = -1
"""Instead of a count: what came in this read before the head began is not part of it."""
HEAD_SECONDS = 10.0
IDLE_SECONDS = 75.0
PIPELINED = 64
"""Requests that may wait behind the one that is answered; of their bytes no more than HELD and a read."""
HALF_CLOSED_SECONDS = 0.25
CLIENT_GONE = 499
"""What the log says of a request whose client left before there was a reply."""
STOPS = "The gateway stops; ask again."
NEVER = float("inf")


class Connection(asyncio.Protocol):
    """Parses, queues and answers; one task a connection, cancelled when its client leaves."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._outbox = service.outbox
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[Incoming] = deque()
        self._fields: list[tuple[str, str]] = []
        self._target = b""
        self._head_bytes = 0
        self._in_head = False
        self._open: Incoming | None = None
        self._answering: Incoming | None = None
        self._asked = False
        self._upgrading = False
        self._behind = 0
        self._deaf = False
        self._lost = False
        self._due = NEVER
        self._waiter: asyncio.Future[None] | None = None
        self._tunnel: Tunnel | None = None
        self.task: asyncio.Task[None] | None = None

    # What the transport says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._writer = Writer(self._transport, self._outbox)
        self._send = self._writer.send
        peer = transport.get_extra_info("peername")
        self._client = peer[0] if isinstance(peer, tuple) else ""
        self._due = self._outbox.now + HEAD_SECONDS + 1
        self._service.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._service.left(self)
        self._writer.resume()
        for incoming in self._queue:
            incoming.let_go(self._service.bodies)
        if self.task is not None:
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            self._pass(data)
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrade(data[upgrade.args[0] :])
        except (httptools.HttpParserError, UnicodeError):
            self._refuse(BadRequest("This is not a valid HTTP request.", code="invalid_http"))
        if self._in_head or self._open is not None:
            self._count_head(len(data))
        if self._open is not None and self._open.arriving is None:
            self._hand_on(self._open)
        if self._queue and self._answering is not None:
            self._behind += len(data)
            if self._behind > HELD:
                self.hold()

    def eof_received(self) -> bool:
        """A client that sends no more has left, or only said it all: nobody can tell. It gets what a moment brings."""
        if self._tunnel is not None and self._tunnel.begun:
            self._tunnel.finish()
            return True
        waits = self._open is None and (self._answering is not None or bool(self._queue))
        if waits:
            asyncio.get_running_loop().call_later(HALF_CLOSED_SECONDS, self._writer.close)
        else:
            self._writer.close()
        return waits

    def pause_writing(self) -> None:
        self._writer.pause()

    def resume_writing(self) -> None:
        self._writer.resume()

    # What the parser says.

    def on_message_begin(self) -> None:
        self._in_head, self._head_bytes = True, BEGINS
        self._fields = []
        if self._answering is None:
            self._due = self._outbox.now + HEAD_SECONDS + 1

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        # What stands behind a body is no header: it came after all that headers decide.
        if self._in_head:
            lower = NAMES.get(name) or name.decode("latin-1").lower()
            self._fields.append((lower, value.decode("latin-1").rstrip(" \t")))

    def on_headers_complete(self) -> None:
        self._in_head, self._head_bytes = False, BEGINS
        self._due = NEVER
        target, self._target = self._target, b""
        path, query = path_of(target)
        parser, fields = self._parser, self._fields
        version = parser.get_http_version()
        request = Request(parser.get_method().decode(), target, path, query, fields, self._client)
        incoming = self._open = Incoming(
            request, keep=parser.should_keep_alive(), chunked=version == "1.1"
        )
        self._upgrading = parser.should_upgrade()
        incoming.refusal = fault(version, target, fields)

    def on_body(self, data: bytes) -> None:
        incoming = self._open
        assert incoming is not None
        self._head_bytes = BEGINS
        if incoming.arriving is None:
            incoming.parts.append(data)
        else:
            incoming.arriving.feed(data, self._outbox.now)

    def on_message_complete(self) -> None:
        incoming = self._open
        if incoming is None or self._upgrading:
            return
        self._open = None
        incoming.whole = True
        if incoming.arriving is not None:
            incoming.arriving.finish()
            return
        parts = incoming.parts
        incoming.fill(parts[0] if len(parts) == 1 else b"".join(parts), self._service.bodies)
        self._push(incoming)

    # What a body and the server ask.

    def hold(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def go_on(self) -> None:
        if self._transport.is_closing():
            return
        self._transport.resume_reading()
        now = self._answering
        if self._asked or now is None or now.whole or now.request.header("expect") is None:
            return
        self._asked = True
        if not self._writer.begun:
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def check(self) -> None:
        """Ends what takes too long; called once a second."""
        now = self._outbox.now
        if now >= self._due:
            self._due = NEVER
            if self._in_head:
                self._refuse(HeadTooSlow())
            else:
                self._writer.close()
        if not self._writer.check():
            self._transport.abort()
        if self._tunnel is not None and not self._tunnel.check():
            self._writer.close()
        if self._answering is not None and self._answering.arriving is not None:
            self._answering.arriving.check(now)

    def make_room(self) -> None:
        """Others wait outside: who was answered a second ago or longer, and asks nothing, goes."""
        waits = self.task is not None and not self._in_head and self._open is None
        if waits and self._outbox.now >= self._due - IDLE_SECONDS:
            self.shut()

    def shut(self) -> None:
        """The server stops: what is being answered is the last."""
        if self._answering is None and not self._queue:
            self._writer.close()

    def close(self) -> None:
        """Ends it at once."""
        self._transport.abort()

    def _count_head(self, size: int) -> None:
        """Bounds what is read of a head, of trailers and of what stands between chunks."""
        self._head_bytes = 0 if self._head_bytes == BEGINS else self._head_bytes + size
        if self._head_bytes > HEAD_BYTES:
            self._refuse(HeaderTooLarge())

    # The task.

    def _pass(self, data: bytes) -> None:
        """Bytes that are no HTTP."""
        if self._tunnel is not None:
            self._tunnel.feed(data)

    def _upgrade(self, rest: bytes) -> None:
        """A WebSocket's handshake is this connection's last request: what comes after it is no HTTP, whatever the answer."""
        incoming = self._open
        # What may be chunked is HTTP/1.1: an older client's wish is not to be heard.
        asks = incoming is not None and incoming.chunked and websocket.asks(incoming.request)
        if incoming is None or incoming.refusal is not None or not asks:
            self._no_upgrade(rest)
            return
        self._open, self._upgrading, self._deaf = None, False, True
        incoming.whole, incoming.keep = True, False
        try:
            key = websocket.key_of(incoming.request)
        except Refused as refusal:
            incoming.refusal = refusal
        else:
            self._tunnel = Tunnel(self, self._transport, self._writer, incoming.request, key, rest)
            self._send = self._tunnel.send
        self._push(incoming)

    def _no_upgrade(self, rest: bytes) -> None:
        """Nothing here speaks any other protocol: the request is read again as if it had not asked for one."""
        incoming, self._open, self._upgrading = self._open, None, False
        if incoming is None or incoming.request.method == "CONNECT":
            self._refuse(BadRequest("This server is no tunnel.", code="invalid_http"))
            return
        request, version = incoming.request, self._parser.get_http_version()
        head = [f"{request.method} {request.target.decode('latin-1')} HTTP/{version}"]
        head += [f"{name}: {value}" for name, value in request.headers if name != "upgrade"]
        self._parser = httptools.HttpRequestParser(self)
        self.data_received("\r\n".join([*head, "", ""]).encode("latin-1") + rest)

    def _hand_on(self, incoming: Incoming) -> None:
        """A request whose body is still arriving."""
        now, bodies = self._outbox.now, self._service.bodies
        incoming.arriving = Body(incoming.parts, self, now, bodies)
        incoming.request.body = incoming.arriving
        self._push(incoming)

    def _push(self, incoming: Incoming) -> None:
        self._queue.append(incoming)
        if len(self._queue) > PIPELINED:
            self._deaf = True
            self._transport.abort()
        elif self.task is None:
            self.task = asyncio.get_running_loop().create_task(self._run())
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _refuse(self, refusal: Refused) -> None:
        """Says why and closes: whatever follows on this connection is not trusted to be a request."""
        if self._deaf:
            return
        self._deaf, self._in_head = True, False
        incoming, self._open = self._open, None
        if incoming is not None and incoming.arriving is not None:
            # Its handler has begun and is told when it reads on; the reply is the connection's last.
            incoming.arriving.fail(refusal)
            return
        incoming = Incoming(Request("", b""), keep=False, chunked=False)
        incoming.refusal, incoming.whole = refusal, True
        self._push(incoming)

    async def _run(self) -> None:
        try:
            while (incoming := await self._next()) is not None:
                self._answering = incoming
                try:
                    await self._answer(incoming)
                finally:
                    incoming.let_go(self._service.bodies)
                self._answering = None
                # A client that left while a reply was closed cancelled nothing that still runs.
                if self._lost or not incoming.keep:
                    break
        finally:
            self._writer.close()

    async def _next(self) -> Incoming | None:
        if not self._queue:
            if self._service.closing:
                return None
            # A head that has begun already has its own time.
            self._due = self._outbox.now + (HEAD_SECONDS if self._in_head else IDLE_SECONDS) + 1
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        incoming = self._queue.popleft()
        if self._behind and not self._queue:
            self._behind = 0
            self.go_on()
        return incoming

    async def _answer(self, incoming: Incoming) -> None:
        started = time.perf_counter()
        request, service = incoming.request, self._service
        response, status = Response(CLIENT_GONE), 0
        self._writer.begun = self._asked = False
        try:
            if incoming.refusal is None:
                response = await service.gateway(request)
            else:
                incoming.keep = False
                response = self._refused(request, incoming.refusal)
            framed = incoming.chunked or isinstance(response.body, bytes)
            incoming.keep = incoming.keep and incoming.whole and framed and not service.closing
            await self._send(
                response,
                bare=request.method == "HEAD",
                chunked=incoming.chunked,
                close=not incoming.keep,
                date=service.date,
            )
            if not incoming.whole:
                await incoming.linger()
        except asyncio.CancelledError:
            # The client is gone and nobody waits for this task; else the server stops.
            incoming.keep = False
            if not self._lost:
                status = await self._break_off(incoming)
                raise
        except Exception as error:  # noqa: BLE001 - reported without its text, which may hold what a caller sent
            self._give_up(incoming, error, unproven=response.status == websocket.SWITCHING)
        finally:
            await closed(response)
            request.notes["gone"] = self._lost
            service.log(request, status or response.status, time.perf_counter() - started)

    def _give_up(self, incoming: Incoming, error: Exception, *, unproven: bool) -> None:
        """A stream broke off where it came from, or nobody foresaw this (as a 101 that is none): what is out must not
        pass for the whole."""
        incoming.keep = False
        notes = incoming.request.notes
        if isinstance(error, Failed) and (self._writer.begun or not unproven):
            notes["error"] = error.code
        else:
            self._service.report(str(notes.get("id", "")), error)
        self._writer.give_up()

    async def _break_off(self, incoming: Incoming) -> int:
        """The server stops: a stream that has begun ends with an event, what has not is told; returns its status if so."""
        if self._writer.begun:
            self._writer.break_off(self._service.cut_off)
            return 0
        request = incoming.request
        stopped = reply.error(Unavailable(STOPS), request.path, billed=True)
        stopped.headers = [*stopped.headers, ("x-request-id", str(request.notes.get("id", "")))]
        await self._writer.send(
            stopped,
            bare=request.method == "HEAD",
            chunked=False,
            close=True,
            date=self._service.date,
        )
        return stopped.status

    def _refused(self, request: Request, refusal: Error) -> Response:
        response = reply.error(refusal, request.path)
        request_id = self._service.new_id("req_")
        request.notes.update(id=request_id, error=refusal.code)
        response.headers = [*response.headers, ("x-request-id", request_id)]
        return response
