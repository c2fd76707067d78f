"""A connection after its 101: bytes both ways between a client and whatever the gateway answered with, unparsed."""

from __future__ import annotations

import asyncio

from penstock.entry.body import Flow
from penstock.entry.heads import head_of
from penstock.entry.writer import Writer
from penstock.errors import Broken, Error
from penstock.wire import websocket
from penstock.wire.http import Duplex, Request, Response

HELD = 64 << 10
"""Bytes that may wait to be passed on before the socket is read; of those to the client the transport holds as many."""
HALF_CLOSED_SECONDS = 2.0
"""How long one side may still send after the other has said that it sends no more: long enough for a last frame."""
IDLE_SECONDS = 3_600.0
TOTAL_SECONDS = 86_400.0
"""The outermost bounds, whoever is at the other end; a request to a target brings its own."""
SWITCH = b"connection: Upgrade\r\nupgrade: websocket\r\n"
_OURS = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding", "upgrade"})


class Tunnel:
    """Answers a handshake; with a 101 it carries bytes until either side ends. `begun` says that it does.

    It takes the place of the writer's `send`, so that no other request has to look whether there is a tunnel.
    """

    def __init__(
        self,
        flow: Flow,
        transport: asyncio.Transport,
        writer: Writer,
        request: Request,
        key: str,
        rest: bytes,
    ) -> None:
        self.begun = False
        self._flow = flow
        self._transport = transport
        self._writer = writer
        self._request = request
        self._key = key
        self._parts: list[bytes] = []
        self._held = 0
        self._over = False
        self._waiter: asyncio.Future[None] | None = None
        self._received = self._sent = 0
        self._sweeps = self._silent = 0
        if rest:
            self.feed(rest)

    async def send(
        self, response: Response, *, bare: bool, chunked: bool, close: bool, date: bytes
    ) -> None:
        """What a writer's `send` does, and all that passes after a 101."""
        if response.status != websocket.SWITCHING:
            await self._writer.send(response, bare=bare, chunked=chunked, close=close, date=date)
            return
        if not isinstance(response.body, Duplex) or not websocket.proves(
            response.headers, self._key
        ):
            raise Broken("The answer to a WebSocket's handshake is none.")
        headers = [pair for pair in response.headers if pair[0] not in _OURS]
        head = head_of(response.status, headers, date, [SWITCH])
        self.begun = self._writer.begun = True
        self._writer.write(head)
        try:
            await self._carry(response.body)
        finally:
            self._request.notes.update(received=self._received, sent=self._sent)

    # What the connection says.

    def feed(self, data: bytes) -> None:
        """Bytes from the client; those before a 101 wait for it, and are nobody's where there is none."""
        self._silent = 0
        self._parts.append(data)
        self._held += len(data)
        if self._held > HELD:
            self._flow.hold()
        self._wake()

    def finish(self) -> None:
        """The client sends no more."""
        self._over = True
        self._wake()

    def check(self) -> bool:
        """False where it has been silent, or has lasted, for too long; asked once a second."""
        if self.begun:
            self._sweeps += 1
            self._silent += 1
        return self._silent <= IDLE_SECONDS and self._sweeps <= TOTAL_SECONDS

    # Inside.

    async def _carry(self, duplex: Duplex) -> None:
        """Both ways at once; returns when both have ended, or a moment after the first did. A failure ends both."""
        loop = asyncio.get_running_loop()
        ways = {loop.create_task(self._there(duplex)), loop.create_task(self._back(duplex))}
        try:
            ended, rest = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if rest and not any(way.exception() for way in ended):
                await asyncio.wait(rest, timeout=HALF_CLOSED_SECONDS)
        finally:
            for way in ways:
                way.cancel()
            for told in await asyncio.gather(*ways, return_exceptions=True):
                self._note(told)

    async def _there(self, duplex: Duplex) -> None:
        """What the client sends."""
        while data := await self._next():
            await duplex.send(data)
            self._received += len(data)
        await duplex.end()

    async def _back(self, duplex: Duplex) -> None:
        """What the client gets."""
        writer = self._writer
        async for data in duplex:
            self._silent = 0
            writer.write(data)
            self._sent += len(data)
            await writer.drained()
        writer.flush()
        if not self._transport.is_closing():
            self._transport.write_eof()

    async def _next(self) -> bytes:
        """What has come since the last time; nothing where nothing more comes."""
        while not self._parts:
            if self._over:
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        data = b"".join(self._parts)
        self._parts.clear()
        self._held = 0
        self._flow.go_on()
        return data

    def _note(self, told: object) -> None:
        """The log says how a way failed; what nobody foresaw is raised."""
        if isinstance(told, Error):
            self._request.notes["error"] = told.code
        elif isinstance(told, Exception):
            raise told

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
