"""Replies as the core gets them: the body in one piece, or a stream, unpacked and cut at its cap."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from contextlib import suppress

from penstock.errors import Broken, Failed, Stalled
from penstock.platforms.http.exchange import Exchange
from penstock.platforms.http.head import Head
from penstock.platforms.outbound import WHOLE, too_large, unasked_packing
from penstock.wire.http import Response

PIECE = 256 << 10
"""Bytes one step of unpacking may bring."""
_PACKINGS = frozenset({"gzip", "x-gzip", "deflate"})


def respond(exchange: Exchange, idle: float) -> Response:
    """What a ready exchange answers; raises Failed where it has no answer. `idle` bounds unpacking that brings nothing."""
    head, failure = exchange.head, exchange.failure
    if head is None or (failure is not None and exchange.whole):
        assert failure is not None
        raise failure
    if not head.packing:
        at_hand = exchange.buffered <= min(WHOLE, exchange.cap)
        if exchange.done and failure is None and at_hand:
            return Response(head.status, head.headers, exchange.take())
        return Response(head.status, head.headers, Body(exchange))
    return _packed(exchange, head, idle)


def _packed(exchange: Exchange, head: Head, idle: float) -> Response:
    if exchange.done and exchange.failure is None and not exchange.buffered:
        return Response(head.status, head.unpacked(), b"")
    if head.packing not in _PACKINGS:
        exchange.drop()
        raise unasked_packing()
    body = Unpacked(Body(exchange), head.packing, exchange, idle)
    return Response(head.status, head.unpacked(), body)


class Body:
    """A reply's bytes as they come; what came together is handed out together."""

    __slots__ = ("_closed", "_exchange", "_left")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._left = exchange.cap
        self._closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        exchange = self._exchange
        while not exchange.parts:
            if exchange.done:
                if exchange.failure is not None and not self._closed:
                    raise exchange.failure
                raise StopAsyncIteration
            await exchange.arrival()
        part = exchange.take()
        self._left -= len(part)
        if self._left < 0:
            exchange.drop()
            raise too_large()
        return part

    async def aclose(self) -> None:
        self._closed = True
        self._exchange.drop()
        self._exchange.parts.clear()

    def __del__(self) -> None:
        """Abandoned without `aclose`: the connection must not wait for a reader who never comes."""
        exchange = self._exchange
        if not exchange.done:
            # Collected perhaps in another thread, perhaps after the loop's end.
            with suppress(RuntimeError):
                exchange.line.loop.call_soon_threadsafe(exchange.drop)


class Unpacked:
    """A body unpacked piece by piece, each of bounded size."""

    __slots__ = ("_body", "_exchange", "_idle", "_left", "_unpack")

    def __init__(self, body: Body, packing: str, exchange: Exchange, idle: float) -> None:
        self._body = body
        self._exchange = exchange
        self._idle = idle
        self._left = exchange.cap
        self._unpack = Unpack(packing)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        started = self._exchange.line.loop.time()
        try:
            while not (piece := self._unpack.piece()):
                if self._exchange.line.loop.time() - started > self._idle:
                    raise Stalled("The target's reply brought nothing within the idle time-out.")
                await self._more()
            self._left -= len(piece)
            if self._left < 0:
                raise too_large()
        except Failed:
            self._exchange.drop()
            raise
        return piece

    async def aclose(self) -> None:
        self._unpack = Unpack("gzip")
        await self._body.aclose()

    async def _more(self) -> None:
        try:
            self._unpack.feed(await self._body.__anext__())
        except StopAsyncIteration:
            self._unpack.end()
            raise


class Unpack:
    """gzip and deflate in steps of at most PIECE bytes, however much is packed in a few."""

    __slots__ = ("_full", "_member", "_packed", "_packing")

    def __init__(self, packing: str) -> None:
        self._packing = packing
        self._packed = b""
        self._full = False
        self._member: zlib._Decompress | None = None

    def feed(self, data: bytes) -> None:
        self._packed += data

    def piece(self) -> bytes:
        """The next bytes; none where more input is wanted. Raises Broken."""
        while self._packed or self._full:
            member = self._opened()
            if member is None:
                break
            try:
                piece = member.decompress(self._packed, PIECE)
            except zlib.error as error:
                raise unsound() from error
            self._packed = member.unconsumed_tail or member.unused_data
            self._full = len(piece) == PIECE  # the rest of a long repeat may still be inside
            if piece:
                return piece
        return b""

    def end(self) -> None:
        """No more input comes; raises Broken where some is missing."""
        if self._packed or (self._member is not None and not self._member.eof):
            raise unsound()

    def _opened(self) -> zlib._Decompress | None:
        """What unpacks the next bytes: another member may follow where one has ended. None: too few to tell."""
        member = self._member
        if member is None or (member.eof and self._packed):
            if member is not None and self._packing == "deflate":
                raise unsound()
            if len(self._packed) < 2:
                return None
            member = self._member = zlib.decompressobj(self._bits())
        return member

    def _bits(self) -> int:
        """gzip; or deflate, by which some mean zlib's frame, as they should, and some the bare stream."""
        if self._packing != "deflate":
            return zlib.MAX_WBITS | 16
        first, second = self._packed[:2]
        framed = first & 0x0F == zlib.DEFLATED and not (first << 8 | second) % 31
        return zlib.MAX_WBITS if framed else -zlib.MAX_WBITS


def unsound() -> Broken:
    """What is said of a reply whose packing is damaged."""
    return Broken("The target's reply cannot be unpacked.")
