"""Ports with fail-points around a platform's own: nothing of them is in `src`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from msgspec import structs

from penstock.errors import Conflict
from penstock.ledger import sql
from penstock.ledger.budgets import CAP
from penstock.ledger.claims import sql as claims
from penstock.ports import (
    Blobs,
    Demand,
    Denial,
    Fetch,
    Lease,
    Meter,
    Platform,
    Row,
    Statement,
    Store,
    Tables,
    Value,
)  # fmt: skip
from penstock.wire.http import Request, Response, Stream
from tests.crash.fuse import Fuse

LOOKS = 5_000
"""Questions to the provider whether a request has come; each is a round trip."""
ENDINGS = {"settled": "settle", "estimated": "estimate", "released": "release"}
STEPS = {
    sql.RESERVE: "reserve",
    sql.DISPATCHED: "dispatched",
    sql.CORRECTION: "correction",
    sql.DECISION: "journal",
    sql.COUNT_CACHE: "journal",
    claims.CLAIM: "claim",
    claims.TAKE_OVER: "take-over",
    claims.MARK: "mark",
    claims.RELEASE: "unclaim",
}
FINALS = (sql.FINAL, sql.FINAL_ALLOTTED)
OTHER = "other"


def doomed(platform: Platform, fuse: Fuse, *, reconciling: bool, ahead: float) -> Platform:
    """The platform with a fail-point at each side of what it does, and its clock so many seconds ahead."""
    return replace(
        platform,
        tables=DoomedTables(platform.tables, fuse, reconciling),
        fetch=(DoomedLookups if reconciling else DoomedFetch)(platform.fetch, fuse),
        meter=DoomedMeter(platform.meter, fuse),
        store=DoomedStore(platform.store, fuse),
        blobs=DoomedBlobs(platform.blobs, fuse),
        clock=Ahead(ahead),
    )


class Ahead:
    """A clock that is ahead, as after the end of a lease."""

    tick = staticmethod(time.perf_counter)
    sleep = staticmethod(asyncio.sleep)
    timeout = staticmethod(asyncio.timeout)

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def now(self) -> float:
        return time.time() + self._seconds


def step_of(statements: Sequence[Statement], *, reconciling: bool = False) -> str:
    """What a batch is, by the first of its statements that says it."""
    found = [_step(text, args) for text, args in statements]
    step = next((one for one in found if one != OTHER), OTHER)
    return "reconciled" if reconciling and step in ENDINGS.values() else step


def _step(text: str, args: Sequence[Value]) -> str:
    if text in FINALS:
        return "journal" if args[-1] == "hit" else ENDINGS[str(args[2])]
    return STEPS.get(text, OTHER)


class DoomedTables:
    """Fail-points around each kind of batch, and after a budget's denial."""

    def __init__(self, tables: Tables, fuse: Fuse, reconciling: bool) -> None:
        self._tables = tables
        self._fuse = fuse
        self._reconciling = reconciling

    async def rows(self, sql: str, *args: Value) -> Sequence[Row]:
        return await self._tables.rows(sql, *args)

    async def batch(self, *statements: Statement) -> Sequence[Sequence[Row]]:
        step = step_of(statements, reconciling=self._reconciling)
        try:
            return await self._fuse.around(step, lambda: self._tables.batch(*statements))
        except Conflict as conflict:
            if conflict.name == CAP:
                self._fuse.at("after-denial")
            raise


class DoomedFetch:
    """Fail-points before a call is sent, once the provider has it, at its head and in its body."""

    def __init__(self, fetch: Fetch, fuse: Fuse) -> None:
        self._fetch = fetch
        self._fuse = fuse

    async def __call__(self, request: Request) -> Response:
        self._fuse.at("before-send")
        if self._fuse.due("after-send"):
            await self._until_it_came(request)
            self._fuse.blow()
        response = await self._fetch(request)
        self._fuse.at("after-head")
        if isinstance(response.body, bytes):
            self._fuse.at("whole-body")
            return response
        streamed = (response.header("content-type") or "").startswith("text/event-stream")
        response.body = DoomedBody(response.body, self._fuse, streamed)
        return response

    async def _until_it_came(self, request: Request) -> None:
        """Sends it so that the provider takes it and says nothing, and asks the provider until it has."""
        silent = ("x-fake-fault", "gate=0")
        sent = asyncio.ensure_future(
            self._fetch(structs.replace(request, headers=[*request.headers, silent]))
        )
        at = urlsplit(request.target.decode())
        address = f"{at.scheme}://{at.netloc}/_usage/{request.header('x-request-id')}"
        for _ in range(LOOKS):
            told = await self._fetch(Request("GET", address.encode()))
            await told.aclose()
            if told.status == 200 or sent.done():
                return


class DoomedBody:
    """Fail-points at the pieces of a reply: of a stream the first, each later one, and the one that ends it."""

    def __init__(self, body: Stream, fuse: Fuse, streamed: bool) -> None:
        self._body = body
        self._fuse = fuse
        self._streamed = streamed
        self._pieces = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._body.__anext__()
        except StopAsyncIteration:
            if not self._streamed:
                self._fuse.at("whole-body")
            raise
        if self._streamed:
            self._fuse.at("mid-stream" if self._pieces else "first-event")
            if b"[DONE]" in piece:
                self._fuse.at("end-of-stream")
        self._pieces += 1
        return piece

    async def aclose(self) -> None:
        await self._body.aclose()


class DoomedLookups:
    """Fail-points around each question of the reconciler's, which sends nothing else."""

    def __init__(self, fetch: Fetch, fuse: Fuse) -> None:
        self._fetch = fetch
        self._fuse = fuse

    async def __call__(self, request: Request) -> Response:
        return await self._fuse.around("lookup", lambda: self._fetch(request))


class DoomedMeter:
    """Fail-points after a lease was taken, and around giving it back."""

    def __init__(self, meter: Meter, fuse: Fuse) -> None:
        self._meter = meter
        self._fuse = fuse

    async def take(self, demands: Sequence[Demand]) -> Lease | Denial:
        took = await self._meter.take(demands)
        if any(demand.kind == "parallel" for demand in demands):
            self._fuse.at("after-lease")
        return took

    async def give(self, lease: Lease, used: int | None = None) -> None:
        await self._fuse.around("give-back", lambda: self._meter.give(lease, used))

    async def mark(self, key: str, until: float) -> None:
        await self._meter.mark(key, until)


class DoomedStore:
    """Fail-points around keeping an answer."""

    def __init__(self, store: Store, fuse: Fuse) -> None:
        self._store = store
        self._fuse = fuse
        self.get, self.delete = store.get, store.delete

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        await self._fuse.around("keep", lambda: self._store.put(key, value, ttl))


class DoomedBlobs:
    """Fail-points around keeping a reply for its key."""

    def __init__(self, blobs: Blobs, fuse: Fuse) -> None:
        self._blobs = blobs
        self._fuse = fuse
        self.get, self.delete = blobs.get, blobs.delete

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        await self._fuse.around("blob", lambda: self._blobs.put(key, value, ttl))
