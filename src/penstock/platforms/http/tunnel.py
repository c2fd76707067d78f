"""What a connection to a target becomes after its 101: bytes both ways, at the pace of the slower side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from penstock.errors import Broken, Failed
from penstock.platforms.outbound import cut_short, stalled
from penstock.wire.http import Timeouts

HELD = 64 << 10
"""Unread bytes above which the target is left waiting; of bytes to send the transport holds as many, and one piece."""
CLOSING_SECONDS = 2.0
"""How long what was sent before a close may take to leave."""
EARLY = 0.002
"""Seconds by which a timer may come too early."""

Lost = Callable[[Exception | None], None]


class Tunnel(asyncio.Protocol):
    """A Duplex that has taken a connection over. It leaves the pool for good; `lost` is told of its end.

    One timer, not moved while bytes pass: when it fires it looks at when the last ones did.
    """

    def __init__(
        self, transport: asyncio.Transport, rest: bytes, limits: Timeouts, lost: Lost
    ) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._limits = limits
        self._lost = lost
        self._parts = [rest] if rest else []
        self._held = len(rest)
        self._paused = self._full = False
        self._over = self._ended = self._closed = False
        self._failure: Failed | None = None
        self._reading: asyncio.Future[None] | None = None
        self._sending: asyncio.Future[None] | None = None
        self._started = self._active = self._loop.time()
        self._timer = self._loop.call_later(min(limits.idle, limits.total), self._look)
        transport.set_protocol(self)

    # --- for whoever holds it -------------------------------------------------------------------

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while not self._parts:
            if self._closed:
                raise StopAsyncIteration
            if self._failure is not None:
                raise self._failure
            if self._over:
                raise StopAsyncIteration
            self._reading = self._loop.create_future()
            await self._reading
        data = b"".join(self._parts)
        self._parts.clear()
        self._held = 0
        if self._paused:
            self._paused = False
            self._active = self._loop.time()
            if not self._transport.is_closing():
                self._transport.resume_reading()
        return data

    async def send(self, data: bytes) -> None:
        self._check()
        self._transport.write(data)
        self._active = self._loop.time()
        while self._full:
            self._sending = self._loop.create_future()
            await self._sending
            self._check()

    async def end(self) -> None:
        """TLS has no half: there the whole connection ends, after what was sent."""
        if self._ended or self._transport.is_closing():
            return
        self._ended = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._close()

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            self._parts.clear()
            self._close()
            self._wake()

    # --- from the transport -----------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self._active = self._loop.time()
        if self._closed:
            return
        self._parts.append(data)
        self._held += len(data)
        if self._held > HELD and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self._over = True
        self._wake()
        return self._transport.can_write_eof()

    def connection_lost(self, error: Exception | None) -> None:
        self._timer.cancel()
        if not (self._over or self._ended or self._failure):
            self._failure = cut_short()
        self._over, self._full = True, False
        self._wake()
        self._lost(error)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._wake()

    # --- inside -------------------------------------------------------------------------------------

    def _check(self) -> None:
        if self._closed or self._ended or self._transport.is_closing():
            raise self._failure or Broken("The connection to the target has ended.")

    def _close(self) -> None:
        """Ends it after what was sent, but not later than a moment."""
        self._timer.cancel()
        if not self._transport.is_closing():
            self._transport.close()
            self._timer = self._loop.call_later(CLOSING_SECONDS, self._transport.abort)

    def _wake(self) -> None:
        for waiter in (self._reading, self._sending):
            if waiter is not None and not waiter.done():
                waiter.set_result(None)

    def _look(self) -> None:
        """Has nothing passed for too long? What waits for a reader here is no silence of the target's."""
        now, limits = self._loop.time(), self._limits
        if self._paused:
            self._active = now
        end = self._started + limits.total
        due = min(self._active + limits.idle, end)
        if now + EARLY < due:
            self._timer = self._loop.call_at(due, self._look)
        else:
            self._failure = stalled("total" if due == end else "idle")
            self._transport.abort()
            self._wake()
