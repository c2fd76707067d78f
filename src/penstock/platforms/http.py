"""`Fetch` over aiohttp: what leaves this machine leaves here."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from functools import lru_cache

import aiohttp
from yarl import URL

from penstock.errors import Broken, Cut, Error, NotSent, Stalled
from penstock.wire.http import Headers, Request, Response, Timeouts

WHOLE = 1 << 20
"""Replies up to this size that say so are read in one step."""
CONNECTIONS = 4_096
KEPT_SECONDS = 15.0
PIECE = 256 << 10
"""Bytes one step of unpacking may bring."""
DEFAULT = Timeouts()
IDENTITY = ("accept-encoding", "identity")
_STRIPPED = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
     "upgrade", "set-cookie", "set-cookie2"}
)  # fmt: skip


class Http:
    """One pool of connections; `close` at shutdown. Redirects are not followed, cookies not kept, proxies not read."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, request: Request) -> Response:
        session = self._session or self._open()
        limits = request.timeouts or DEFAULT
        body = request.body if isinstance(request.body, bytes) else _chunks(request.body)
        try:
            async with asyncio.timeout(limits.connect + limits.first_byte):
                reply = await session.request(
                    request.method,
                    _url(request.target),
                    headers=[*request.headers, IDENTITY],
                    data=body,
                    allow_redirects=False,
                    timeout=_timeout(limits.connect, limits.idle),
                )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _translated(error) from error
        headers = [
            (name.lower(), value)
            for name, value in reply.headers.items()
            if name.lower() not in _STRIPPED
        ]
        packing = reply.headers.get("content-encoding", "identity").lower()
        size = reply.content_length
        if packing == "identity" and size is not None and size <= min(WHOLE, request.max_reply):
            return Response(reply.status, headers, await _whole(reply))
        return Response(reply.status, _plain(headers), _Body(reply, packing, request.max_reply))

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=KEPT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
            read_bufsize=1 << 18,
        )
        return self._session


class _Body:
    """A reply's bytes, unpacked and cut at their cap. A cancelled read loses nothing."""

    __slots__ = ("_left", "_packed", "_reply", "_unpack")

    def __init__(self, reply: aiohttp.ClientResponse, packing: str, cap: int) -> None:
        self._reply = reply
        self._left = cap
        self._unpack = _unpacker(packing)
        self._packed = b""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while True:
            part = self._unpacked() if self._packed else await self._read()
            if part:
                self._left -= len(part)
                if self._left < 0:
                    raise Cut("The target's reply is larger than its cap.", processed="yes")
                return part

    async def aclose(self) -> None:
        self._reply.close() if not self._reply.content.at_eof() else self._reply.release()

    async def _read(self) -> bytes:
        try:
            part = await self._reply.content.readany()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _translated(error) from error
        if not part:
            raise StopAsyncIteration
        if self._unpack is None:
            return part
        self._packed = part
        return b""

    def _unpacked(self) -> bytes:
        assert self._unpack is not None
        try:
            part = self._unpack.decompress(self._packed, PIECE)
        except zlib.error as error:
            raise Broken("The target's reply cannot be unpacked.") from error
        self._packed = self._unpack.unconsumed_tail
        return part


async def _whole(reply: aiohttp.ClientResponse) -> bytes:
    try:
        return await reply.read()
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise _translated(error) from error
    finally:
        reply.release()


def _translated(error: BaseException) -> Error:
    if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
        return NotSent("The target cannot be reached.")
    if isinstance(error, TimeoutError):
        return Stalled("The target took longer than the route's time-out.")
    if isinstance(error, aiohttp.InvalidURL):
        return NotSent("The target's address is not a URL.")
    return Broken("The connection to the target broke.")


def _unpacker(packing: str) -> zlib._Decompress | None:
    if packing == "identity":
        return None
    if packing in ("gzip", "x-gzip", "deflate"):
        return zlib.decompressobj(zlib.MAX_WBITS | 32)
    raise Broken("The target packed its reply in a way that was not asked for.")


def _plain(headers: Headers) -> Headers:
    return [pair for pair in headers if pair[0] not in ("content-encoding", "content-length")]


async def _chunks(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:  # type: ignore[misc]
    async for part in body:
        yield part


@lru_cache(maxsize=1_000)
def _url(target: bytes) -> URL:
    return URL(target.decode("latin-1"), encoded=True)


@lru_cache(maxsize=100)
def _timeout(connect: float, idle: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_connect=connect, sock_read=idle)
