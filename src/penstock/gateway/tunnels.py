"""WebSockets to services: which pages may open one, and its end where the credential behind it is revoked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from penstock.errors import Forbidden, Unavailable
from penstock.gateway.delivery import REVOKED_SECONDS
from penstock.gateway.exchange import Exchange
from penstock.ports import Clock
from penstock.wire import websocket
from penstock.wire.http import Duplex, Headers, Request, Response, header

if TYPE_CHECKING:
    from penstock.gateway import Gateway


def asks(request: Request) -> bool:
    """Whether a request is a handshake; most say so by one look at their headers."""
    return request.header("upgrade") is not None and websocket.asks(request)


def admit(gateway: Gateway, exchange: Exchange, onward: Headers) -> None:
    """Refuses a handshake from a page that may not call the gateway: no browser asks for leave before one, and it sends
    its user's cookies along. Raises Forbidden."""
    origin = exchange.request.header("origin")
    if origin is None or gateway.cors.knows(origin):
        return
    host = (header(onward, "x-forwarded-host") or "").lower()
    if not host or origin.lower().partition("://")[2] != host:
        raise Forbidden(
            "Pages of this origin may not open a WebSocket here: name it in cors.origins.",
            code="websocket_origin",
        )


def watched(gateway: Gateway, exchange: Exchange, response: Response) -> Response:
    """The reply to a handshake; a tunnel ends once the caller's credential is no longer good."""
    duplex, caller = response.body, exchange.caller
    if response.status != websocket.SWITCHING or not isinstance(duplex, Duplex):
        return response
    if caller.credential:

        async def still_good() -> None:
            # It was good at the door: where nobody can tell, the tunnel goes on and is asked for again.
            with suppress(Unavailable):
                await gateway.limits.rates.admit(caller, None)

        response.body = Watched(duplex, gateway.platform.clock, still_good)
    return response


class Watched:
    """A tunnel that with its next bytes every ten seconds asks whether it may go on; what it asks raises if not."""

    __slots__ = ("_ask", "_clock", "_due", "_duplex")

    def __init__(self, duplex: Duplex, clock: Clock, ask: Callable[[], Awaitable[None]]) -> None:
        self._duplex = duplex
        self._clock = clock
        self._ask = ask
        self._due = clock.tick() + REVOKED_SECONDS

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        data = await self._duplex.__anext__()
        await self._look()
        return data

    async def send(self, data: bytes) -> None:
        await self._look()
        await self._duplex.send(data)

    async def end(self) -> None:
        await self._duplex.end()

    async def aclose(self) -> None:
        await self._duplex.aclose()

    async def _look(self) -> None:
        now = self._clock.tick()
        if now >= self._due:
            self._due = now + REVOKED_SECONDS
            await self._ask()
