"""One connection to a target: the protocol between the transport and the parser."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from penstock.errors import Broken, Failed
from penstock.platforms.http import head as heads
from penstock.platforms.http.encode import Frames
from penstock.platforms.http.exchange import Exchange
from penstock.platforms.http.tunnel import Tunnel
from penstock.platforms.outbound import MOST_FIELDS, cut_short, stalled, unsound
from penstock.platforms.target import Origin
from penstock.wire.http import Stream, Timeouts
from penstock.wire.websocket import SWITCHING

HIGH_WATER = 256 << 10
"""Unread bytes of a reply above which the target is left waiting."""
MOST_SILENT = 64 << 10
"""Bytes in a row that bring nothing of a body: an endless head, trailer or chunk extension."""
EARLY = 0.002
"""Seconds by which a timer may come too early."""
NEVER = float("inf")


class Owner(Protocol):
    """Who keeps connections between requests."""

    def made(self, connection: Connection) -> None:
        """The connection stands."""

    def freed(self, connection: Connection) -> None:
        """The connection can take another request."""

    def retired(self, connection: Connection) -> None:
        """The connection is of no more use."""

    def gone(self, connection: Connection) -> None:
        """The connection is closed."""


class _Refused(Exception):
    """Stops the parser."""


class Connection(asyncio.Protocol):
    """Carries one exchange at a time. `busy` while it holds a place in the pool, `closed` once it is of no more use.

    Its one timer is not moved while bytes come: when it fires it looks at when the last ones came.
    """

    def __init__(self, owner: Owner, origin: Origin, loop: asyncio.AbstractEventLoop) -> None:
        self.origin = origin
        self.loop = loop
        self.busy = True
        self.closed = False
        self.offered: float | None = None
        """Seconds for which the target said it keeps the connection open."""
        self.key = ""
        """Of a WebSocket's handshake: such a connection carries no other request."""
        self.tunnel: Tunnel | None = None
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._fields: heads.Fields = []
        self._parts: list[bytes] = []
        self.on_body = self._parts.append  # the parser's own call: none of ours for each chunk
        self._parser = HttpResponseParser(self)
        self._complete = self._keep = self._interim = False
        self._silent = 0
        self._paused = self._full = self._sending = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0
        self._limits = Timeouts()
        self._look_every = NEVER
        self._started = 0.0
        self._active = 0.0
        self._patience = NEVER

        self._exchanges = 0
        self._touched = False

    # --- for the client -------------------------------------------------------------------------

    @property
    def usable(self) -> bool:
        """Whether a request may be written."""
        transport = self._transport
        return not self.closed and transport is not None and not transport.is_closing()

    @property
    def stale(self) -> bool:
        """Whether a kept connection brought not a byte of its last reply: the target may have closed it before."""
        return self._exchanges > 1 and not self._touched

    def start(
        self, method: str, message: bytes, limits: Timeouts, cap: int, *, verbatim: bool = False
    ) -> Exchange:
        """Writes a request; its reply comes to the exchange."""
        assert self._transport is not None
        exchange = self._exchange = Exchange(self, method, cap, verbatim=verbatim)
        self._exchanges += 1
        self._touched = False
        self.offered = None
        self._complete = self._keep = self._interim = False
        self._silent = 0
        self._limits = limits
        self._look_every = min(limits.first_byte, limits.idle, limits.total)
        self._transport.write(message)
        self._wait(limits.first_byte)
        self._started = self._active
        return exchange

    async def upload(self, exchange: Exchange, body: Stream, length: int | None = None) -> None:
        """Sends a body, in chunks unless its length is known, as fast as the target takes it; stops where it answers before
        the end."""
        assert self._transport is not None
        self._sending = True
        self._patience = NEVER
        frames = Frames(length)
        async for part in body:
            framed = frames.of(part)
            self._sending = frames.left != 0
            if framed and not exchange.ready:
                self._transport.write(framed)
            self._wait(self._limits.idle)
            while self._full and not exchange.ready:
                await exchange.arrival()
            if exchange.ready:
                return
            self._patience = NEVER  # now it is the body that is waited for
        last = frames.last()
        if self._exchange is not exchange:
            return  # it was answered in full: the connection may be another's by now
        self._sending = False
        if last:
            self._transport.write(last)
        self._wait(self._limits.first_byte)

    def resume(self) -> None:
        """What was buffered has been taken."""
        if self._paused:
            self._paused = False
            self._active = self.loop.time()
            if self._transport is not None and not self.closed:
                self._transport.resume_reading()

    def drop(self, exchange: Exchange) -> None:
        """Closes the connection if it still carries this exchange."""
        if self._exchange is exchange:
            self.fail(Broken("The reply was not wanted to its end."))

    def fail(self, failure: Failed) -> None:
        """Closes at once; the exchange there may be ends so."""
        exchange = self._exchange
        self._exchange = None
        if exchange is not None:
            exchange.end(failure)
        self.abort()

    def abort(self) -> None:
        """Closes at once."""
        if not self.closed:
            self.closed = True
            self._owner.retired(self)
            if self._transport is not None:
                self._transport.abort()

    # --- from the transport -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self.closed:
            self._transport.abort()
        else:
            self._owner.made(self)

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            self.abort()  # bytes nobody asked for
            return
        self._touched = True
        sound = True
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as stop:
            sound = self._switched(exchange, data, stop)
        parts = self._parts
        if parts:
            exchange.put(parts[0] if len(parts) == 1 else b"".join(parts))
            parts.clear()
            self._silent = 0
            self._active = self.loop.time()
        else:
            self._silent += len(data)
        if self._complete:
            self._finish(exchange, sound)
        elif not sound or self._silent > MOST_SILENT:
            self.fail(unsound())
        elif exchange.ready:
            if exchange.buffered > HIGH_WATER:
                self._pause()
            exchange.wake()

    def eof_received(self) -> None:
        self._ended(whole=True)

    def connection_lost(self, error: Exception | None) -> None:
        self._ended(whole=error is None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._owner.gone(self)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self._exchange is not None:
            self._exchange.wake()

    # --- from the parser ----------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._complete:
            raise _Refused  # more than the one reply that was asked for

    def on_header(self, name: bytes, value: bytes) -> None:
        fields = self._fields
        fields.append((name, value.rstrip(b" \t")))
        if len(fields) > MOST_FIELDS:
            raise _Refused

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        fields = self._fields[:]
        self._fields.clear()
        exchange = self._exchange
        if exchange is None:
            raise _Refused
        self._interim = status < 200
        if self._interim:
            if status == SWITCHING and self.key:
                exchange.begin(heads.switching(fields, self.key, verbatim=exchange.verbatim))
            else:
                heads.interim(status, fields)
            return
        head = heads.read(status, fields, verbatim=exchange.verbatim)
        exchange.begin(head)
        self.offered = head.kept
        self._keep = self._parser.should_keep_alive() and not (self._sending or self.key)
        if exchange.method == "HEAD":
            # The parser cannot be told that no body follows, so it is stopped, and not used again.
            self._complete = True
            raise _Refused
        self._patience = self._limits.idle
        self._active = self.loop.time()

    def on_message_complete(self) -> None:
        self._complete = not self._interim

    # --- inside -------------------------------------------------------------------------------------

    def _switched(self, exchange: Exchange, data: bytes, stop: Exception) -> bool:
        """Whether the parser stopped because this is a tunnel from here on: its place is another's, but it ends with the client."""
        asked = self.key and exchange.ready and not exchange.done
        if not (asked and isinstance(stop, HttpParserUpgrade)) or self._transport is None:
            return False
        self._silent = -len(data)  # which is no part of a head
        self._exchange = None
        self._owner.retired(self)
        rest = data[stop.args[0] :]
        self.tunnel = Tunnel(self._transport, rest, self._limits, self.connection_lost)
        exchange.end()
        return True

    def _finish(self, exchange: Exchange, sound: bool) -> None:
        self._exchange = None
        self._fields.clear()
        exchange.end()
        if self._paused:
            self.resume()
        if self._keep and sound:
            self._owner.freed(self)
        else:
            self.abort()

    def _ended(self, whole: bool) -> None:
        exchange = self._exchange
        if exchange is None:
            self.abort()
        elif whole and exchange.head is not None and exchange.head.until_close:
            self._finish(exchange, sound=False)
        else:
            self.fail(cut_short())

    def _pause(self) -> None:
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def _wait(self, patience: float) -> None:
        """From now on this much silence is too much. The timer is set for the shortest of a request's limits."""
        now = self._active = self.loop.time()
        self._patience = patience
        soonest = now + self._look_every
        if self._timer is not None:
            if self._timer_due <= soonest:
                return
            self._timer.cancel()
        self._set_timer(soonest)

    def _set_timer(self, due: float) -> None:
        self._timer_due = due
        self._timer = self.loop.call_at(due, self._look)

    def _look(self) -> None:
        """Has there been silence for too long? A full buffer is our own silence, not the target's."""
        self._timer = None
        exchange = self._exchange
        if exchange is None:
            return
        now = self.loop.time()
        if self._paused:
            self._active = now
        end = self._started + self._limits.total
        due = min(self._active + self._patience, end)
        if now + EARLY < due:
            self._set_timer(min(due, now + self._look_every))
        else:
            phase = "total" if due == end else "idle" if exchange.head else "first-byte"
            self.fail(stalled(phase))
