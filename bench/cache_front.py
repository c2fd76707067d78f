"""A server of nothing but the HTTP cache before one origin, over a client that leaves replies as they come."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx

from penstock.cache.generations import Generations
from penstock.cache.http.driver import HttpCache
from penstock.cache.http.flights import Flights
from penstock.cache.http.rules import UNKEPT, Rules
from penstock.cache.http.shelves import Shelves
from penstock.entry.listener import Listener
from penstock.errors import Broken, Failed
from penstock.platforms.memory.store import MemoryStore
from penstock.platforms.memory.tables import MemoryTables
from penstock.platforms.migrations import shipped
from penstock.platforms.world import RandomIds, RealClock, Spawner
from penstock.wire.http import Headers, Request, Response, collect

UNPASSED = UNKEPT - {"age"}
"""Ends at this hop, or is the server's to write."""


class Body:
    """A reply's bytes, still packed."""

    def __init__(self, reply: httpx.Response) -> None:
        self._reply = reply
        self._parts = reply.aiter_raw()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._parts)
        except httpx.HTTPError:
            raise Broken from None

    async def aclose(self) -> None:
        await self._reply.aclose()


class Origin:
    """A `Fetch` to one origin. The gateway's own client unpacks bodies and drops cookies, which is not for a proxy."""

    def __init__(self, base: str) -> None:
        self._base = base
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.AsyncClient(timeout=10, limits=limits)
        self._client.headers.clear()

    async def __call__(self, request: Request) -> Response:
        url = httpx.URL(self._base + request.target.decode("latin-1"))
        # httptools leaves the blanks behind a value, which h11 does not send.
        headers = [
            (name.encode(), value.strip().encode("latin-1"))
            for name, value in passed(request.headers)
        ]
        sent = await request.read(1 << 20)
        outbound = self._client.build_request(
            request.method, url, headers=headers, content=sent or None
        )
        try:
            reply = await self._client.send(outbound, stream=True)
        except httpx.HTTPError:
            raise Broken from None
        fields = [(k.decode("latin-1").lower(), v.decode("latin-1")) for k, v in reply.headers.raw]
        if request.method == "HEAD" or reply.status_code in (204, 304):
            await reply.aclose()
            return Response(reply.status_code, passed(fields))
        body = Body(reply)
        if reply.headers.get("content-length") is None:
            return Response(reply.status_code, passed(fields), body)
        try:
            return Response(reply.status_code, passed(fields), await collect(body, 1 << 20))
        finally:
            await body.aclose()


def passed(headers: Headers) -> list[tuple[str, str]]:
    """The headers that go further than this hop."""
    listed = {
        name.strip().lower()
        for key, value in headers
        if key == "connection"
        for name in value.split(",")
    }
    return [pair for pair in headers if pair[0] not in UNPASSED | listed]


def cache(origin: Origin) -> HttpCache:
    """One cache that all share, as a plain proxy's is."""
    clock, ids = RealClock(), RandomIds()
    secret = ids.secret(32)
    store = MemoryStore(clock, 256 << 20)
    return HttpCache(
        origin,
        Rules("suite", key="shared"),
        shelves=Shelves(store, clock, secret, lambda: ids.new("")),
        clock=clock,
        spawn=Spawner(),
        generations=Generations(MemoryTables(shipped(), clock.now()), clock),
        owner=lambda request: "",
        flights=Flights(clock.tick),
    )


class Front:
    """What the server serves: the cache, and its origin's failures as replies."""

    def __init__(self, base: str) -> None:
        self._cache = cache(Origin(base))

    async def __call__(self, request: Request) -> Response:
        try:
            return await self._cache(request)
        except Failed as failure:
            return Response(failure.status, [("content-type", "text/plain")], b"no reply\n")


async def serve(base: str, on: socket.socket, stop: asyncio.Event) -> None:
    """Serves on a socket that is bound, until told to stop."""
    listener = Listener(Front(base), RandomIds().new, lambda _, error: print(repr(error)))
    await listener.serve(on, stop)
