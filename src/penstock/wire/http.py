"""One vocabulary for HTTP, inbound and outbound."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct

from penstock.errors import BadRequest, TooLarge

Headers = Sequence[tuple[str, str]]
"""Ordered pairs with duplicates; names in lower case."""

JSON = ("content-type", "application/json")
PROBLEM = ("content-type", "application/problem+json")


class Stream(Protocol):
    """Bytes on their way. Whoever holds one must `aclose` it, read or not.

    A cancelled `__anext__` loses nothing: the next one goes on where it stood.
    """

    def __aiter__(self) -> AsyncIterator[bytes]: ...
    async def __anext__(self) -> bytes: ...
    async def aclose(self) -> None: ...


@runtime_checkable
class Duplex(Stream, Protocol):
    """Bytes both ways, unparsed: the body of a 101. What comes in is iterated, by one reader; one sender sends.

    The iteration ends where the peer sends no more, and raises Failed where the connection breaks; neither keeps what
    is sent from arriving. A tunnel has no length: `max_reply` does not count.
    """

    async def send(self, data: bytes) -> None:
        """Returns once there is room for more; raises Failed where nobody is there."""

    async def end(self) -> None:
        """Nothing more is sent. The peer sees it, and may still send where the connection can be half closed."""


class Timeouts(Struct, frozen=True):
    """How long an upstream call may take, phase by phase, in seconds."""

    connect: float = 5.0
    first_byte: float = 60.0
    idle: float = 30.0
    total: float = 600.0


class Request(Struct):
    """One HTTP request.

    `target` is the request target as sent (an absolute URL when outbound), `path` its path decoded once,
    `query` the raw query, `client` the peer's address. `timeouts` and `max_reply` bound an outbound one.
    """

    method: str
    target: bytes
    path: str = ""
    query: str = ""
    headers: Headers = ()
    client: str = ""
    body: bytes | Stream = b""
    timeouts: Timeouts | None = None
    max_reply: int = 64 << 20
    verbatim: bool = False
    """Whether an outbound one's reply is for somebody else to read: with its cookies, and packed as it came."""
    length: int | None = None
    """The bytes of an outbound one's `Stream`, where that is known."""
    notes: dict[str, Any] = {}
    """What the access log says of an inbound one beside status and time (id, caller, route, target, cache, replayed)."""
    _read: Headers | None = None
    """The headers that `_first` has by their names: others take their place, and none is changed in place."""
    _first: Any = None

    def header(self, name: str) -> str | None:
        """The first value under a lower-case name."""
        # Asked some times a request, so that they are looked through once.
        if self._read is not self.headers:
            self._read, self._first = self.headers, dict(reversed(self.headers))
        found: str | None = self._first.get(name)
        return found

    async def read(self, limit: int) -> bytes:
        """The whole body, at most `limit` bytes; raises TooLarge."""
        if isinstance(self.body, bytes):
            data = self.body
        else:
            declared = self.header("content-length")
            if declared is not None and _length(declared) > limit:
                raise _too_large(limit)
            data = await collect(self.body, limit)
        if len(data) > limit:
            raise _too_large(limit)
        return data


class Response(Struct):
    """One HTTP response; whoever receives it calls `aclose`, read or not. The body of a 101 is a Duplex."""

    status: int
    headers: Headers = ()
    body: bytes | Stream = b""
    ended: Callable[[], None] | None = None
    """Told that it was closed, where it has a stream; perhaps more than once."""
    verbatim: bool = False
    """Whether its stream is somebody else's bytes, between which nothing of ours may go: no keep-alive, no error event."""

    def header(self, name: str) -> str | None:
        """The first value under a lower-case name."""
        return header(self.headers, name)

    async def aclose(self) -> None:
        if isinstance(self.body, bytes):
            return
        try:
            await self.body.aclose()
        finally:
            if self.ended is not None:
                self.ended()


def header(headers: Headers, name: str) -> str | None:
    """The first value under a lower-case name, or None."""
    for key, value in headers:
        if key == name:
            return value
    return None


async def collect(stream: Stream, limit: int) -> bytes:
    """All of a stream, at most `limit` bytes; raises TooLarge. Does not close it."""
    parts: list[bytes] = []
    size = 0
    async for part in stream:
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _length(declared: str) -> int:
    if not (declared.isascii() and declared.isdigit()):
        raise BadRequest("content-length is not a number.", code="invalid_header")
    return int(declared[:20])


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes, the most this server takes.")
