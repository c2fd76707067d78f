"""WebSockets to services: which pages may open one, and its end where the credential behind it is revoked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from penstock.auth import refusals
from penstock.auth.caller import Caller
from penstock.errors import Forbidden, RateLimited, Unavailable
from penstock.gateway.delivery import REVOKED_SECONDS
from penstock.gateway.exchange import Exchange
from penstock.ports import Fetch
from penstock.wire import websocket
from penstock.wire.http import Duplex, Headers, Request, Response, header

if TYPE_CHECKING:
    from penstock.gateway import Gateway

WAIT = "10"
"""Seconds after which who has too many open may ask again."""


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


class Doors:
    """How many tunnels of a service each caller has open in this process: at most so many, for each keeps a slot."""

    def __init__(self) -> None:
        self.most = 0
        self._open: dict[str, int] = {}

    def enter(self, owner: str) -> None:
        """One more; raises RateLimited."""
        count = self._open.get(owner, 0)
        if count >= self.most:
            raise RateLimited(
                f"{count} WebSockets of yours are open already, as many as may at once: close one.",
                code="websocket_limit_exceeded",
                headers=(("retry-after", WAIT),),
                body={"retryAfter": int(WAIT), "limit": self.most},
            )
        self._open[owner] = count + 1

    def leave(self, owner: str) -> None:
        """One less."""
        left = self._open[owner] - 1
        if left:
            self._open[owner] = left
        else:
            del self._open[owner]


async def opened(
    gateway: Gateway, exchange: Exchange, doors: Doors, fetch: Fetch, onward: Request
) -> Response:
    """The reply to a handshake; a tunnel counts until it is closed, and ends once its caller's credential is no longer
    good. Raises RateLimited."""
    caller = exchange.caller
    doors.enter(caller.owner)
    stays = False
    try:
        response = await fetch(onward)
        duplex = response.body
        if response.status == websocket.SWITCHING and isinstance(duplex, Duplex):
            leave = partial(doors.leave, caller.owner)
            response.body = Watched(duplex, gateway, caller, leave)
            stays = True
        return response
    finally:
        if not stays:
            doors.leave(caller.owner)


class Watched:
    """A tunnel that with its next bytes every ten seconds asks whether its caller's credential still holds."""

    __slots__ = ("_caller", "_due", "_duplex", "_gateway", "_leave")

    def __init__(
        self, duplex: Duplex, gateway: Gateway, caller: Caller, leave: Callable[[], None]
    ) -> None:
        self._duplex = duplex
        self._gateway = gateway
        self._caller = caller
        self._leave: Callable[[], None] | None = leave
        now = gateway.platform.clock.tick()
        self._due = now + REVOKED_SECONDS if caller.credential else inf

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
        leave, self._leave = self._leave, None
        try:
            await self._duplex.aclose()
        finally:
            if leave is not None:
                leave()

    async def _look(self) -> None:
        """Raises Unauthorized where it was revoked meanwhile, or has ended: of such a one nobody knows any more whether it
        was."""
        clock = self._gateway.platform.clock
        now = clock.tick()
        if now < self._due:
            return
        self._due = now + REVOKED_SECONDS
        if 0 < self._caller.exp <= clock.now():
            raise refusals.expired()
        # It was good at the door: where nobody can tell, the tunnel goes on and is asked for again.
        with suppress(Unavailable):
            await self._gateway.limits.rates.admit(self._caller, None)
