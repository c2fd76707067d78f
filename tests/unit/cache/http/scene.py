"""A cache before a scripted origin, in a world whose time the test owns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from penstock.cache.generations import Generations
from penstock.cache.http.driver import HttpCache
from penstock.cache.http.flights import Flights
from penstock.cache.http.rules import Rules
from penstock.cache.http.shelves import Shelves
from penstock.platforms.memory import platform
from penstock.platforms.memory.world import Handler
from penstock.wire.http import Headers, Request, Response
from penstock.wire.target import path_of

SECRET = b"s" * 32


def get(target: str = "/a", method: str = "GET", body: bytes = b"", **headers: Any) -> Request:
    """A request as the server hands it on; `if_none_match` is the header of that name."""
    raw = target.encode("latin-1")
    path, query = path_of(raw)
    pairs = [("host", "gateway.test")]
    pairs += [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Request(method, raw, path, query, pairs, body=body)


def reply(
    control: str | None = "max-age=60", body: bytes = b"hello", status: int = 200, **headers: Any
) -> Response:
    """A reply of the origin's."""
    pairs = [("content-type", "text/plain"), ("content-length", str(len(body)))]
    pairs += [("cache-control", control)] if control is not None else []
    pairs += [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Response(status, pairs, body)


class Parts:
    """A body that comes in parts, each when `gate` lets it; an exception among them is raised."""

    def __init__(self, *parts: bytes | Exception, gate: asyncio.Semaphore | None = None) -> None:
        self.parts = list(parts)
        self.gate = gate
        self.closed = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self.gate is not None:
            await self.gate.acquire()
        if not self.parts:
            raise StopAsyncIteration
        part = self.parts.pop(0)
        if isinstance(part, Exception):
            raise part
        return part

    async def aclose(self) -> None:
        self.closed += 1


def owner_of(request: Request) -> str:
    """Whoever the bearer token names."""
    return (request.header("authorization") or "").removeprefix("Bearer ")


class Scene:
    """The cache, the world it stands in, and an origin that answers what it is told to."""

    def __init__(
        self,
        answer: Handler | Sequence[Response] | Response | None = None,
        rules: Rules | None = None,
        *,
        joins: bool = True,
        owner: Callable[[Request], str] = owner_of,
    ) -> None:
        self.world = platform(self._handler(answer))
        self.clock = self.world.clock
        self.generations = Generations(self.world.tables, self.clock)
        self.shelves = Shelves(self.world.store, self.clock, SECRET, lambda: self.world.ids.new(""))
        self.flights = Flights(self.clock.tick) if joins else None
        self.cache = HttpCache(
            self.world.fetch,
            rules or Rules("r"),
            shelves=self.shelves,
            clock=self.clock,
            spawn=self.world.spawn,
            generations=self.generations,
            owner=owner,
            flights=self.flights,
        )

    @property
    def asked(self) -> list[Request]:
        """What came to the origin."""
        return self.world.fetch.requests

    async def __call__(self, request: Request) -> Response:
        """The reply with its whole body, closed."""
        return await whole(await self.cache(request))

    async def says(self, request: Request) -> str:
        """How the cache describes its part in the reply."""
        return (await self(request)).header("cache-status") or ""

    @staticmethod
    def _handler(answer: Handler | Sequence[Response] | Response | None) -> Handler | None:
        if answer is None or callable(answer):
            return answer
        if isinstance(answer, Response):
            return lambda request: Response(answer.status, answer.headers, answer.body)
        script = list(answer)
        return lambda request: script.pop(0)


async def whole(response: Response) -> Response:
    """A response whose stream was read to its end and closed."""
    if isinstance(response.body, bytes):
        return response
    try:
        body = b"".join([part async for part in response.body])
    finally:
        await response.aclose()
    return Response(response.status, response.headers, body)


def named(headers: Headers, name: str) -> list[str]:
    return [value for key, value in headers if key == name]
