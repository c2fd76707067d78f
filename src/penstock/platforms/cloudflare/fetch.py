"""Requests to targets, by the platform's own fetch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import msgspec

from penstock import __version__
from penstock.errors import Failed, NoTunnel
from penstock.platforms import outbound
from penstock.platforms.cloudflare import values
from penstock.platforms.target import parse
from penstock.wire import websocket
from penstock.wire.http import Headers, Request, Response, Stream, Timeouts, collect, header

DEFAULT = Timeouts()
_BODILESS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS"})
_UNPACKED = frozenset({"gzip", "br"})
"""What fetch unpacks here; its reply still has the header that says so."""
_PACKED = frozenset({"content-encoding", "content-length"})
_DEFAULTS = {"accept-encoding": "identity", "user-agent": f"penstock/{__version__}"}

_pairs = msgspec.json.Decoder(list[tuple[str, str]]).decode


class CloudflareFetch:
    """A `Fetch` for the requests of one request: redirects are not followed, cookies not kept.

    fetch says of a refused connection, an unknown host and a broken exchange the same: all are Broken, and only what
    could not be made a request at all is NotSent. It does not tell when a connection stands either, so the first byte's
    time counts from the call. It joins the values of a header by commas, adds some of its own, and writes what is beyond
    ASCII as UTF-8. With a binding that is a fetcher itself, such as ASSETS, that one is asked.
    """

    def __init__(self, binding: Any = None) -> None:
        self._fetch = values.fetch if binding is None else binding.fetch

    async def __call__(self, request: Request) -> Response:
        exchange = Exchange(request.timeouts or DEFAULT, request.max_reply)
        made = _made(request, exchange.control)
        try:
            if isinstance(request.body, bytes):
                found = await exchange.head(self._fetch(made[0]))
            else:
                found = await _uploaded(exchange, self._fetch(made[0]), made[1], request.body)
            return await respond(
                exchange, found, bare=request.method == "HEAD", verbatim=request.verbatim
            )
        except BaseException:
            exchange.abort()
            raise


class Exchange:
    """One request on its way, what bounds it in time, and what ends it."""

    __slots__ = ("_end", "_limits", "_loop", "_start", "cap", "control")

    def __init__(self, limits: Timeouts, cap: int) -> None:
        self.control = values.AbortController.new()
        self.cap = cap
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._start = self._loop.time()
        self._end = self._start + limits.total

    def abort(self) -> None:
        """Nobody wants the rest: the target sees the connection close."""
        self.control.abort()

    async def head(self, promise: Any) -> Any:
        """The reply as JavaScript has it; raises Broken or Stalled."""
        asked = _asked(promise)
        await self._within(asked, self._start + self._limits.first_byte, "first-byte")
        return _told(asked)

    def now(self) -> float:
        return self._loop.time()

    async def chunk(self, reading: asyncio.Future[Any], since: float) -> Any:
        """What a read that began then brings; raises Broken or Stalled. A cancellation leaves the read as it is."""
        await self._within(reading, since + self._limits.idle, "idle")
        return _told(reading)

    async def _within(self, waited: asyncio.Future[Any], due: float, phase: str) -> None:
        if waited.done():
            return
        if self._end < due:
            due, phase = self._end, "total"
        await asyncio.wait([waited], timeout=max(0.0, due - self.now()))
        if not waited.done():
            raise outbound.stalled(phase)


class Body:
    """A reply's bytes as they come, a crossing for each chunk, cut at the cap."""

    __slots__ = ("_exchange", "_failure", "_left", "_over", "_reader", "_reading", "_since")

    def __init__(self, exchange: Exchange, reader: Any) -> None:
        self._exchange = exchange
        self._reader = reader
        self._reading: asyncio.Future[Any] | None = None
        self._since = 0.0
        self._left = exchange.cap
        self._over = False
        self._failure: Failed | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while not self._over:
            try:
                part = await self._part()
            except Failed as failure:
                self._failure = failure
                self._end()
                break
            if part:
                return part
        if self._failure is not None:
            raise self._failure
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._failure = None
        if not self._over:
            self._end()
            with suppress(values.JsException):
                await self._reader.cancel()

    async def _part(self) -> bytes:
        """The next chunk; empty at the end, and perhaps before."""
        if self._reading is None:
            self._since = self._exchange.now()
            self._reading = _asked(self._reader.read())
        got = await self._exchange.chunk(self._reading, self._since)
        self._reading = None
        if got.done:
            self._over = True
            return b""
        part = bytes(got.value.to_bytes())
        self._left -= len(part)
        if self._left < 0:
            raise outbound.too_large()
        return part

    def _end(self) -> None:
        self._over = True
        self._exchange.abort()


def _made(request: Request, control: Any) -> tuple[Any, Any]:
    """JavaScript's Request, and what its streamed body is written to; raises NotSent for what can be no request."""
    parse(request.target)
    settings = {
        "method": request.method,
        "headers": _headers(request),
        "redirect": "manual",
        "signal": control.signal,
    }
    pipe = None
    if not isinstance(request.body, bytes):
        pipe = values.TransformStream.new()
        settings |= {"body": pipe.readable, "duplex": "half"}
    elif request.body or request.method not in _BODILESS:
        settings["body"] = request.body
    try:
        made = values.Request.new(request.target.decode("ascii"), values.options(settings))
    except values.JsException as error:
        raise outbound.unsendable() from error
    return made, pipe and pipe.writable.getWriter()


def _headers(request: Request) -> list[list[str]]:
    """The request's own, without those of this hop; raises NotSent where one is none, NoTunnel for a WebSocket's handshake."""
    if not outbound.is_token(request.method):
        raise outbound.unsendable()
    headers = [[outbound.sent_name(name), value] for name, value in request.headers]
    listed = _listed(request.headers)
    if "upgrade" in listed and websocket.asks(request):
        raise NoTunnel
    sent = [pair for pair in headers if pair[0] and pair[0] not in listed]
    for _, value in sent:
        if not values.is_header(value):
            raise outbound.unsendable()
    named = {name for name, _ in sent}
    return sent + [[name, value] for name, value in _DEFAULTS.items() if name not in named]


def _listed(headers: Headers) -> set[str]:
    """The headers that a connection header keeps to this hop."""
    told = [value.lower() for name, value in headers if name.lower() == "connection"]
    return {name.strip() for value in told for name in value.split(",")}


async def _uploaded(exchange: Exchange, promise: Any, writer: Any, body: Stream) -> Any:
    """The reply to a request whose body is written meanwhile; it ends the upload. Raises what the body raises."""
    head = asyncio.ensure_future(exchange.head(promise))
    upload = asyncio.ensure_future(_upload(writer, body))
    try:
        await asyncio.wait([head, upload], return_when=asyncio.FIRST_COMPLETED)
        if upload.done():
            upload.result()
        return await head
    finally:
        for task in (head, upload):
            task.cancel()
        await asyncio.gather(head, upload, return_exceptions=True)


async def _upload(writer: Any, body: Stream) -> None:
    async for part in body:
        try:
            if part:
                await writer.write(values.value(part))
        except values.JsException:
            return  # what became of it the reply says, or its failure
    with suppress(values.JsException):
        await writer.close()


async def respond(
    exchange: Exchange, found: Any, *, bare: bool = False, verbatim: bool = False
) -> Response:
    """A short reply that tells its length in one piece, any other as it comes. Raises Failed."""
    status, listing = int(found.status), values.text(values.Array.from_(found.headers))
    headers = _pairs(listing)
    small = len(listing) <= outbound.MOST_BYTES and len(headers) <= outbound.MOST_FIELDS
    if not (small and 200 <= status <= 599):
        raise outbound.unsound()
    packing = (header(headers, "content-encoding") or "identity").lower()
    untold = outbound.HOP_BY_HOP if verbatim else outbound.UNTOLD
    listed = untold | _listed(headers)
    if packing != "identity":
        listed |= _PACKED
    kept = [pair for pair in headers if pair[0] not in listed]
    if bare or not values.is_there(found.body):
        return Response(status, kept, b"")
    if packing != "identity" and packing not in _UNPACKED:
        raise outbound.unasked_packing()
    body = Body(exchange, found.body.getReader())
    length = header(kept, "content-length")
    if length is not None and length.isdigit() and int(length) <= min(outbound.WHOLE, exchange.cap):
        return Response(status, kept, await collect(body, exchange.cap))
    return Response(status, kept, body)


def _asked(promise: Any) -> asyncio.Future[Any]:
    """A promise as a future, whose failure nobody need hear."""
    asked: asyncio.Future[Any] = asyncio.ensure_future(promise)
    asked.add_done_callback(_heard)
    return asked


def _heard(asked: asyncio.Future[Any]) -> None:
    if not asked.cancelled():
        asked.exception()


def _told(asked: asyncio.Future[Any]) -> Any:
    try:
        return asked.result()
    except values.JsException as error:
        raise outbound.cut_short() from error
