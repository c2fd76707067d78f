"""Idempotency-Key: whoever repeats a request gets the same bytes again, and is never charged for them twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from penstock.errors import BadRequest, Conflict, Error, KeyReused, Refused, Repeated, Unavailable
from penstock.gateway.air import Regular
from penstock.gateway.exchange import Exchange
from penstock.gateway.later import later
from penstock.ledger import claims
from penstock.ledger.claims import Claim, Found, Trouble
from penstock.limits.rates import NO_RETRY
from penstock.ports import Platform
from penstock.wire import sse
from penstock.wire.http import Request, Response, Stream

if TYPE_CHECKING:
    from penstock.gateway import Gateway

HEADER = "idempotency-key"
REPLAYED = "x-penstock-replayed"
LONGEST_KEY = 255
MOST_BYTES = 1 << 20
"""Of a body that is kept."""
KEEP_SECONDS = claims.LIFE_MS / 1000
TRIES = 3
MOST_SWEEPS = 100
"""Of so many rows each, one after another."""


class Reply(Struct, frozen=True, array_like=True):
    """A whole reply as the handler made it; what is said of each request anew (its id, rates, CORS) is not in it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


Outcome = Reply | Trouble | None
"""What is left of a request: its reply, why there is none to repeat, or nothing, so that it may be asked again."""


def keyed(request: Request) -> bool:
    """Whether a request asks to be done once."""
    return request.header(HEADER) is not None


class Once:
    """Does what a key names once: the claim is a row before the handler runs, the reply's bytes are kept after it."""

    def __init__(self, platform: Platform, sweeps: Regular) -> None:
        self._platform = platform
        self._tables = platform.tables
        self._sweeps = sweeps

    async def __call__(self, gateway: Gateway, exchange: Exchange) -> Response:
        """The kept reply, or the handler's; raises Repeated, KeyReused, BadRequest, Unavailable."""
        request = exchange.request
        key = key_of(request)
        request.body = body = await exchange.read()
        claim = Claim(exchange.caller.owner, key, exchange.id, fingerprint(request, body))
        kept = await self._begin(claim)
        if kept is not None:
            exchange.notes["replayed"] = kept.header(REPLAYED)
            return kept
        exchange.also = (claims.dispatch(exchange.id, self._now()),)
        try:
            response = await exchange.endpoint.handler(gateway, exchange)
        except BaseException as error:
            await self.end(claim, _without(exchange))
            if isinstance(error, Conflict) and error.name == claims.DISPATCHED:
                raise _in_flight() from error  # it took so long that a repeat was done in its place
            raise
        if not isinstance(response.body, bytes):
            response.body = Copied(self, exchange, claim, response)
            return response
        good = response.status < 400 or exchange.spent
        await self.end(claim, _with(response, response.body) if good else None)
        return response

    async def end(self, claim: Claim, outcome: Outcome) -> None:
        """What became of a claimed request.

        Where a store is out of reach the claim stays as it is for a while, and the ledger tells what was bought under it.
        """
        with suppress(Error):
            if outcome is None:
                await claims.release(self._tables, claim)
                return
            trouble = await self._keep(claim, outcome) if isinstance(outcome, Reply) else outcome
            if trouble is None:
                return
            try:
                await claims.mark(self._tables, claim, trouble)
            except Unavailable:
                self._platform.spawn(self._mark(claim, trouble))

    async def _mark(self, claim: Claim, trouble: Trouble) -> None:
        """Says so later: a cached answer leaves no other trace, and its repeat would be bought."""
        await later(self._platform, partial(claims.mark, self._tables, claim, trouble))

    async def _begin(self, claim: Claim) -> Response | None:
        """None where the claim is this request's; else the kept reply. Raises why there is neither."""
        self._sweep_sometimes()
        try:
            for _ in range(TRIES):
                found = await claims.take(self._tables, claim, self._now())
                if found is None:
                    return None
                if found.fingerprint != claim.fingerprint:
                    raise KeyReused
                kept = await self._kept(found)
                if kept is not None:
                    return kept
                if await self._take_over(claim, found):
                    return None
        except Refused:
            raise
        except BaseException:
            # The caller left, or the tables are out of reach: the row may stand all the same.
            with suppress(Error):
                await claims.release(self._tables, claim)
            raise
        raise _in_flight()

    async def _take_over(self, claim: Claim, found: Found) -> bool:
        """Whether a claim that came to nothing is this request's now; raises Repeated where it may not be."""
        now = self._now()
        verdict = await claims.verdict(self._tables, found, now)
        if verdict in ("unstarted", "unbilled"):
            unstarted = verdict == "unstarted"
            return await claims.take_over(self._tables, claim, found, now, unstarted=unstarted)
        if verdict == "in_flight":
            raise _in_flight()
        raise _not_kept() if verdict == "large" else _unknown()

    async def _kept(self, found: Found) -> Response | None:
        if found.state != "open":
            return None
        data = await self._platform.blobs.get(_place(found.request_id))
        if data is None:
            return None
        reply = msgspec.msgpack.decode(data, type=Reply)
        headers = [*reply.headers, (REPLAYED, found.request_id)]
        return Response(reply.status, headers, reply.body)

    async def _keep(self, claim: Claim, reply: Reply) -> Trouble | None:
        data = msgspec.msgpack.encode(reply)
        try:
            await self._platform.blobs.put(_place(claim.request_id), data, KEEP_SECONDS)
        except Unavailable:
            return "large"
        return None

    def _sweep_sometimes(self) -> None:
        if self._sweeps.due(self._platform.clock.tick()):
            self._platform.spawn(self._sweep())

    async def _sweep(self) -> None:
        with suppress(Error):
            for _ in range(MOST_SWEEPS):
                if await claims.sweep(self._tables, self._now()) < claims.SWEEP_ROWS:
                    return

    def _now(self) -> int:
        return int(self._platform.clock.now() * 1000)


class Copied:
    """A stream whose bytes are copied as they pass, up to a bound; its reply is kept before its end is told."""

    __slots__ = (
        "_claim",
        "_done",
        "_ended",
        "_exchange",
        "_headers",
        "_once",
        "_parts",
        "_size",
        "_source",
        "_status",
    )

    def __init__(self, once: Once, exchange: Exchange, claim: Claim, response: Response) -> None:
        assert not isinstance(response.body, bytes)
        self._once = once
        self._exchange = exchange
        self._claim = claim
        # Now: what is said of each request anew comes to them later.
        self._status = response.status
        self._headers = tuple(response.headers)
        self._source: Stream = response.body
        self._parts: list[bytes] = []
        self._size = 0
        self._ended = False
        self._done = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._source.__anext__()
        except StopAsyncIteration:
            self._ended = True
            await self._finish()
            raise
        self._size += len(piece)
        if self._size > MOST_BYTES:
            self._parts = [piece]
        else:
            self._parts.append(piece)
        return piece

    async def aclose(self) -> None:
        """Settles first; whoever left before the end leaves an outcome that nobody knows, if it was paid for."""
        await self._source.aclose()
        await self._finish()

    async def _finish(self) -> None:
        if self._done:
            return
        if self._ended or (self._parts and self._parts[-1].endswith(sse.DONE)):
            outcome = self._outcome()
        else:
            outcome = _without(self._exchange)
        await self._once.end(self._claim, outcome)
        self._done = True

    def _outcome(self) -> Outcome:
        """Of a stream that has ended: a failed one is repeated too, if it was paid for."""
        if not self._parts or not (self._parts[-1].endswith(sse.DONE) or self._exchange.spent):
            return None
        if self._size > MOST_BYTES:
            return "large"
        return Reply(self._status, self._headers, b"".join(self._parts))


def key_of(request: Request) -> str:
    """The one key of a request; raises BadRequest."""
    keys = [value for name, value in request.headers if name == HEADER]
    if len(keys) > 1:
        raise BadRequest("Send Idempotency-Key once.", code="duplicate_header")
    key = keys[0]
    if not 0 < len(key) <= LONGEST_KEY or not all("!" <= char <= "~" for char in key):
        raise BadRequest(
            f"Idempotency-Key is 1 to {LONGEST_KEY} visible ASCII characters, such as a UUID.",
            code="invalid_idempotency_key",
        )
    return key


def fingerprint(request: Request, body: bytes) -> str:
    """Names what was asked: the path and every byte of the body."""
    return sha256(request.path.encode() + b"\0" + body).hexdigest()


def _with(response: Response, body: bytes) -> Outcome:
    if len(body) > MOST_BYTES:
        return "large"
    return Reply(response.status, tuple(response.headers), body)


def _without(exchange: Exchange) -> Outcome:
    return "lost" if exchange.spent else None


def _place(request_id: str) -> str:
    return f"idempotency:{request_id}"


def _in_flight() -> Repeated:
    return Repeated(headers=(("retry-after", "1"),))


def _unknown() -> Repeated:
    return Repeated(
        "The first request with this Idempotency-Key was sent to a target and nobody knows how it ended. It may have"
        " been charged: look at your usage, and take a new key to ask again.",
        code="idempotency_outcome_unknown",
        headers=(NO_RETRY,),
    )


def _not_kept() -> Repeated:
    return Repeated(
        "The first request with this Idempotency-Key was answered, and its reply was too large to keep: take a new key"
        " to ask again.",
        code="idempotency_body_not_kept",
        headers=(NO_RETRY,),
    )
