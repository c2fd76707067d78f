"""The edge's `Fetch` and `Runner` as tests reach them: what they ask leaves from Node."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from unittest.mock import ANY

from msgspec.structs import replace

from penstock.ports import Vectors
from penstock.wire.http import Headers, Request, Response, Stream
from tests.edge.home import EdgeHome, EndedError


class EdgeFetch:
    """Its connections are the platform's, so whatever a test expects of their number holds."""

    busy: Any = ANY
    idle: Any = ANY

    def __init__(self, home: EdgeHome) -> None:
        self._home = home

    async def __call__(self, request: Request) -> Response:
        streamed = None
        if not isinstance(request.body, bytes):
            streamed = await _drained(request.body)
            request = replace(request, body=b"")
        return _response(self._home, await self._home.ask("fetch", request, streamed))


class EdgeRunner:
    """The edge's `Runner`, on a binding that looks like Workers AI (ai.mjs)."""

    def __init__(self, home: EdgeHome) -> None:
        self._home = home

    async def embed(self, texts: Sequence[str]) -> Vectors:
        found: Vectors = await self._home.ask("embed", [*texts])
        return found

    async def run(self, model: str, request: Request) -> Response:
        return _response(self._home, await self._home.ask("run", model, request))


class Reading:
    """A reply's body; each step is a message."""

    def __init__(self, home: EdgeHome, number: int) -> None:
        self._home = home
        self._number = number

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            part: bytes = await self._home.ask("call", self._number, (0, 0), "__anext__", ())
        except EndedError:
            raise StopAsyncIteration from None
        return part

    async def aclose(self) -> None:
        await self._home.ask("call", self._number, (0, 0), "aclose", ())


def _response(home: EdgeHome, told: tuple[int, Headers, bytes | int]) -> Response:
    status, headers, body = told
    return Response(status, headers, Reading(home, body) if isinstance(body, int) else body)


async def _drained(stream: Stream) -> tuple[list[bytes], Exception | None]:
    parts: list[bytes] = []
    try:
        async for part in stream:
            parts.append(part)
    except Exception as failure:  # noqa: BLE001 - told again where the body is read
        return parts, failure
    return parts, None
