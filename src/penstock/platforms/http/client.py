"""The upstream client: one pool of connections to all targets."""

from __future__ import annotations

import asyncio
import ssl

from penstock.errors import Broken, NotSent
from penstock.platforms.http import tls
from penstock.platforms.http.connection import Connection
from penstock.platforms.http.encode import encode
from penstock.platforms.http.pool import Pool
from penstock.platforms.http.reply import respond
from penstock.platforms.target import Origin, parse
from penstock.wire import websocket
from penstock.wire.http import Request, Response, Timeouts

CONNECTIONS = 4_096
WAITING = 1_024
KEPT_SECONDS = 15.0
MARGIN_SECONDS = 1.0
"""So much earlier than the target offers is a kept connection given up, lest both act at once."""
SWEEP_SECONDS = 1.0
"""Kept connections are looked through at most this often."""
CLOSING_SECONDS = 2.0
DEFAULT = Timeouts()
_REPEATABLE = frozenset({"GET", "HEAD"})

Ticket = asyncio.Future[None]


class Http:
    """A `Fetch`; `close` at shutdown. Redirects are not followed, cookies not kept, proxies not read.

    Belongs to the event loop of its first request. `trust` says whom TLS believes, by default whom the system does.
    """

    def __init__(
        self,
        *,
        connections: int = CONNECTIONS,
        waiting: int = WAITING,
        kept_seconds: float = KEPT_SECONDS,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._pool: Pool[Connection, Ticket] = Pool(connections, waiting)
        self._kept_seconds = kept_seconds
        self._trust = trust
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open: set[Connection] = set()
        self._sweeping: asyncio.TimerHandle | None = None
        self._closed = False
        self._emptied: asyncio.Future[None] | None = None

    @property
    def busy(self) -> int:
        """Connections that carry a request or are being opened for one."""
        return self._pool.busy

    @property
    def idle(self) -> int:
        """Connections kept for the next request."""
        return self._pool.idle

    async def __call__(self, request: Request) -> Response:
        limits = request.timeouts or DEFAULT
        target = parse(request.target)
        message, key = encode(request, target)
        if key:
            limits = request.timeouts or websocket.TIMES
            fresh = await self._fresh(target.origin, limits.connect, reuse=False)
            return await _handshake(fresh, request, message, limits, key)
        connection = self._kept(target.origin)
        if connection is None:
            connection = await self._fresh(target.origin, limits.connect)
        try:
            return await _exchange(connection, request, message, limits)
        except Broken:
            if not (connection.stale and _repeatable(request)):
                raise
        connection = await self._fresh(target.origin, limits.connect, reuse=False)
        return await _exchange(connection, request, message, limits)

    async def close(self) -> None:
        """Closes all connections and waits until they are; those in use fail with Broken, those queued with NotSent."""
        self._closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        for ticket in self._pool.dismiss():
            if not ticket.done():
                ticket.set_exception(NotSent("The gateway is shutting down."))
        for connection in list(self._open):
            connection.fail(Broken("The gateway is shutting down."))
        if self._open and self._loop is not None:
            self._emptied = self._emptied or self._loop.create_future()
            await asyncio.wait([self._emptied], timeout=CLOSING_SECONDS)

    # --- for connections --------------------------------------------------------------------------

    def made(self, connection: Connection) -> None:
        """A connection stands."""
        self._open.add(connection)
        if self._closed:
            connection.abort()

    def freed(self, connection: Connection) -> None:
        """A connection can take another request; the target's own offer bounds how long it is kept."""
        seconds = self._kept_seconds
        if connection.offered is not None:
            seconds = min(seconds, connection.offered - MARGIN_SECONDS)
        if self._closed or seconds <= 0:
            connection.abort()
            return
        connection.busy = False
        until = connection.loop.time() + seconds
        self._pool.keep(connection.origin, connection, until)
        self._leave()
        if self._sweeping is None:
            self._sweeping = connection.loop.call_at(until, self._sweep)

    def retired(self, connection: Connection) -> None:
        """A connection is of no more use, or was never made."""
        if connection.busy:
            connection.busy = False
            self._leave()
        else:
            self._pool.forget(connection.origin, connection)

    def gone(self, connection: Connection) -> None:
        """A connection is closed."""
        self._open.discard(connection)
        if self._emptied is not None and not self._open and not self._emptied.done():
            self._emptied.set_result(None)

    # --- inside -----------------------------------------------------------------------------------

    def _kept(self, origin: Origin) -> Connection | None:
        """A kept connection, with a place to use it."""
        if self._loop is None or not self._pool.enter():
            return None
        connection = self._reused(origin, self._loop.time())
        if connection is None:
            self._leave()
        return connection

    def _reused(self, origin: Origin, now: float) -> Connection | None:
        """A kept connection for a place already held."""
        while (connection := self._pool.take(origin, now)) is not None:
            connection.busy = True
            if connection.usable:
                return connection
            connection.busy = False
            connection.abort()
        return None

    async def _fresh(self, origin: Origin, seconds: float, *, reuse: bool = True) -> Connection:
        """A place, waited for if need be, and a new connection in it; both within the connect time-out."""
        loop = self._loop = self._loop or asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                if not self._pool.enter():
                    await self._turn(loop)
                    connection = self._reused(origin, loop.time()) if reuse else None
                    if connection is not None:
                        return connection
                return await self._connected(origin, loop)
        except TimeoutError:
            raise NotSent(
                "The target was not reached within the route's connect time-out."
            ) from None
        except ssl.SSLError:
            raise NotSent("TLS with the target failed: check its certificate and name.") from None
        except (OSError, UnicodeError):
            raise NotSent("The target cannot be reached.") from None

    async def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """Waits in the queue until a place is handed over."""
        ticket: Ticket = loop.create_future()
        if self._closed or not self._pool.queue(ticket):
            raise NotSent(
                "All connections to targets are in use, and too many requests wait already."
            )
        try:
            await ticket
        except asyncio.CancelledError:
            if ticket.cancelled():
                self._pool.unqueue(ticket)
            else:
                self._leave()
            raise

    async def _connected(self, origin: Origin, loop: asyncio.AbstractEventLoop) -> Connection:
        """A new connection in a place already held; the place is given back if there is none."""
        connection = Connection(self, origin, loop)
        try:
            if self._closed:
                raise NotSent("The gateway is shutting down.")
            if (surplus := self._pool.surplus()) is not None:
                surplus.abort()
            if origin.secure and self._trust is None:
                self._trust = tls.context()
            await loop.create_connection(
                lambda: connection,
                origin.host,
                origin.port,
                ssl=self._trust if origin.secure else None,
            )
            if not connection.usable:
                raise NotSent("The target closed the connection before the request was sent.")
        except BaseException:
            connection.abort()
            self.gone(connection)  # uvloop does not say so of a connection it gave up itself
            raise
        return connection

    def _leave(self) -> None:
        """Gives a place back, to the next in the queue that still waits."""
        while (ticket := self._pool.leave()) is not None:
            if not ticket.done():
                ticket.set_result(None)
                return

    def _sweep(self) -> None:
        """Closes what has been kept long enough."""
        assert self._loop is not None
        self._sweeping = None
        now = self._loop.time()
        for connection in self._pool.expired(now):
            connection.abort()
        due = self._pool.next_expiry()
        if due is not None:
            self._sweeping = self._loop.call_at(max(due, now + SWEEP_SECONDS), self._sweep)


async def _exchange(
    connection: Connection, request: Request, message: bytes, limits: Timeouts
) -> Response:
    """One request and its reply on a connection; whatever ends it early closes the connection."""
    exchange = connection.start(
        request.method, message, limits, request.max_reply, verbatim=request.verbatim
    )
    try:
        if not isinstance(request.body, bytes):
            await connection.upload(exchange, request.body, request.length)
        while not exchange.ready:
            await exchange.arrival()
        return respond(exchange, limits.idle)
    except BaseException:
        exchange.drop()
        raise


async def _handshake(
    connection: Connection, request: Request, message: bytes, limits: Timeouts, key: str
) -> Response:
    """A tunnel, or what was answered in its place; the connection is used for nothing else."""
    connection.key = key
    exchange = connection.start(
        "GET", message, limits, request.max_reply, verbatim=request.verbatim
    )
    try:
        while not exchange.ready:
            await exchange.arrival()
        if connection.tunnel is None:
            return respond(exchange, limits.idle)
        assert exchange.head is not None
        return Response(exchange.head.status, exchange.head.headers, connection.tunnel)
    except BaseException:
        connection.abort()
        exchange.drop()
        raise


def _repeatable(request: Request) -> bool:
    """Whether sending this twice does no more than sending it once."""
    return request.method in _REPEATABLE and isinstance(request.body, bytes)
