"""One client connection: reads requests one after the other and carries each reply out."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, cast

from load.fake_provider.faults import Script, Step
from load.fake_provider.http1 import (
    BODY_LIMIT,
    END,
    HEAD_LIMIT,
    BadRequestHead,
    Incoming,
    body_length,
    unchunk,
)
from load.fake_provider.meter import Call
from load.fake_provider.plan import ID_MARK, Plan, Reply, Wire, to_wire
from load.fake_provider.stream import Playback

if TYPE_CHECKING:
    from load.fake_provider.server import Server

BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LINGER_ZERO = struct.pack("ii", 1, 0)
FLUSH_POLL_SECONDS = 0.001
FLUSH_LIMIT_SECONDS = 5.0


class Connection(asyncio.Protocol):
    """The protocol of one connection; at most one call runs at a time."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.transport = cast(asyncio.Transport, None)
        self.buffer = b""
        self.parts: list[bytes] = []
        self.received = 0
        self.needed = 0
        self.busy = False
        self.closing = False
        self.lost = False
        self.call: Call | None = None
        self.plan: Plan | None = None
        self.playback: Playback | None = None
        self.task: asyncio.Task[None] | None = None
        self.spoken = 0
        self.writable = asyncio.Event()
        self.writable.set()

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Notes the transport."""
        self.transport = cast(asyncio.Transport, transport)
        self.server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Charges a call that was running for what it had generated."""
        self.lost = True
        self.server.connections.discard(self)
        if self.playback:
            self.playback.stopped = True
        if self.task:
            self.task.cancel()
        if self.call:
            self.server.meter.close(self.call, self._generated(), "cut")
            self.call = None

    def pause_writing(self) -> None:
        """The client reads too slowly: nothing more is generated for it."""
        self.writable.clear()
        if self.playback:
            self.playback.paused = True

    def resume_writing(self) -> None:
        """The client has caught up."""
        self.writable.set()
        if self.playback:
            self.playback.paused = False
            self.server.pump.add(self.playback)

    def data_received(self, data: bytes) -> None:
        """Collects until a request is whole."""
        if self.buffer or self.parts or self.busy:
            self.parts.append(data)
            self.received += len(data)
            if self.received > BODY_LIMIT + HEAD_LIMIT:
                self.reset()
            if self.busy or self.received < self.needed:
                return
            data = self._collected()
        self._read(data)

    def _collected(self) -> bytes:
        data = b"".join((self.buffer, *self.parts))
        self.buffer, self.parts, self.received, self.needed = b"", [], 0, 0
        return data

    def _read(self, data: bytes) -> None:
        try:
            request = self._one_request(data)
        except BadRequestHead:
            self.transport.write(BAD_REQUEST)
            self.transport.close()
            return
        if request:
            self.busy = True
            self.server.handle(self, request)

    def _one_request(self, data: bytes) -> Incoming | None:
        """The first request in `data`, the rest is kept; None, and all kept, if it is not whole."""
        head_end = data.find(END)
        if head_end < 0:
            if len(data) > HEAD_LIMIT:
                raise BadRequestHead
            self._keep(data, 0)
            return None
        head = data[:head_end]
        lower = head.lower()
        length = body_length(lower)
        start = head_end + 4
        end = start + length
        if length < 0:
            whole = unchunk(data, start)
            if whole is None:
                self._incomplete(data, len(data) + 1, lower)
                return None
            body, end = whole
        elif len(data) < end:
            self._incomplete(data, end, lower)
            return None
        else:
            body = data[start:end]
        self.buffer = data[end:]
        self.closing = b"\r\nconnection: close" in lower
        return Incoming(head, lower, body)

    def _keep(self, data: bytes, needed: int) -> None:
        self.buffer, self.received, self.needed = data, len(data), needed

    def _incomplete(self, data: bytes, needed: int, lower: bytes) -> None:
        if b"\r\nexpect: 100-continue" in lower and data.endswith(END):
            self.transport.write(CONTINUE)
        self._keep(data, needed)

    # --- replies

    def start(self, wire: Wire, call: Call, plan: Plan) -> None:
        """Sends a reply as it should be."""
        data = wire.data.replace(ID_MARK, call.id)
        alone = self.server.settings.each_chunk_alone or self.server.settings.chunks_per_second
        if len(wire.ends) == 1 or not alone:
            self.transport.write(data)
            self.server.meter.close(call)
            self._next()
            return
        self.call, self.plan = call, plan
        self.playback = Playback(self.transport, wire, data, call, self._played)
        self.playback.paused = not self.writable.is_set()
        self.server.pump.add(self.playback)

    def send_whole(self, wire: Wire, call_id: bytes) -> None:
        """Sends a reply in one write, for a call that nobody follows any further."""
        self.transport.write(wire.data.replace(ID_MARK, call_id))
        self._next()

    def start_later(self, seconds: float, wire: Wire, call: Call, plan: Plan) -> None:
        """Sends a reply after a time, if the client is still there."""
        self.call, self.plan = call, plan
        self.server.loop.call_later(seconds, self._start_if_open, wire, call, plan)

    def start_script(self, script: Script, call: Call) -> None:
        """Acts out a fault."""
        self.call, self.spoken = call, 0
        self.task = self.server.loop.create_task(self._act(script, call))

    def start_control(self, answer: Coroutine[Any, Any, Reply]) -> None:
        """Sends the answer of a control path."""
        self.task = self.server.loop.create_task(self._control(answer))

    def reset(self) -> None:
        """Ends the connection with a TCP reset."""
        raw = self.transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        self.transport.abort()

    def _start_if_open(self, wire: Wire, call: Call, plan: Plan) -> None:
        if not self.lost:
            self.call = None
            self.start(wire, call, plan)

    def _played(self) -> None:
        call, self.call, self.playback = self.call, None, None
        if call:
            self.server.meter.close(call)
        self._next()

    async def _control(self, answer: Coroutine[Any, Any, Reply]) -> None:
        reply = await answer
        self.task = None
        self.transport.write(to_wire(reply).data)
        self._next()

    async def _act(self, script: Script, call: Call) -> None:
        for step in script.steps:
            await self._before(step)
            self.transport.write(step.data)
            self.spoken = step.tokens
            await self.writable.wait()
        self.task = None
        if script.ending == "keep":
            self.server.meter.close(call, self._generated())
            self.call = None
            self._next()
            return
        await self._flushed()
        self._end(script, call)

    async def _before(self, step: Step) -> None:
        if step.gated:
            await self.server.control.gate.wait()
        if step.wait:
            await asyncio.sleep(step.wait)

    def _end(self, script: Script, call: Call) -> None:
        written = bool(script.steps)
        self.server.meter.close(call, self._generated() if written else None, "cut")
        self.call = None
        if script.ending == "reset":
            self.reset()
        else:
            self.transport.close()

    async def _flushed(self) -> None:
        """Waits until all is with the kernel, which a reset would otherwise drop."""
        for _ in range(int(FLUSH_LIMIT_SECONDS / FLUSH_POLL_SECONDS)):
            await asyncio.sleep(FLUSH_POLL_SECONDS)
            if not self.transport.get_write_buffer_size():
                return

    def _generated(self) -> int | None:
        """Output tokens of a cut call; None, all of them, when it was not a stream."""
        if self.call is None or not self.call.plan.reply.streamed:
            return None
        if self.playback and self.plan:
            sent = self.playback.index
            return self.plan.reply.tokens[sent - 1] if sent else 0
        return self.spoken

    def _next(self) -> None:
        """The reply is out: on to the next request, if one has come meanwhile."""
        self.busy = False
        if self.closing:
            self.transport.close()
        elif self.buffer or self.parts:
            self.server.loop.call_soon(self._read_more)

    def _read_more(self) -> None:
        if not self.busy and not self.lost and (self.buffer or self.parts):
            self._read(self._collected())
