"""Runs in Pyodide: holds the Cloudflare adapters, and does what tests/edge/home.py asks of them.

A message is a pickled tuple in Base64, so that both ends see the same values; only this repository's tests write them.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import os
import pickle
import random
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import js
from pyodide.ffi import to_js

from penstock.errors import Error
from penstock.platforms.cloudflare.blobs import CloudflareBlobs
from penstock.platforms.cloudflare.crypto import CloudflareCrypto
from penstock.platforms.cloudflare.fetch import CloudflareFetch
from penstock.platforms.cloudflare.index import CloudflareIndex
from penstock.platforms.cloudflare.meter import CloudflareMeter, New
from penstock.platforms.cloudflare.parse import CloudflareParse
from penstock.platforms.cloudflare.probes import CloudflareProbes, asked_at, kept
from penstock.platforms.cloudflare.replies import PLACE, CloudflareReplies
from penstock.platforms.cloudflare.runner import CloudflareRunner
from penstock.platforms.cloudflare.store import CloudflareStore
from penstock.platforms.cloudflare.tables import CloudflareTables
from penstock.platforms.cloudflare.values import replies
from penstock.platforms.constraints import TABLES
from penstock.ports import Lease
from penstock.wire.http import Request, Response

VIEWS = "select name from sqlite_schema where type = 'view'"
SCHEMA = (
    "select type, name, sql from sqlite_schema where substr(name, 1, 4) <> '_cf_' order by name"
)


def is_ours(module: str) -> bool:
    return module.partition(".")[0] == "penstock"


@contextmanager
def without_randomness() -> Iterator[None]:
    """Workers refuse these until the first request."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise RuntimeError("Randomness was asked for at import.")

    with ExitStack() as patches:
        for module, name in ((os, "urandom"), (random, "random"), (uuid, "uuid4"), (js, "fetch")):
            patches.enter_context(patch.object(module, name, refuse))
        yield


class Hands:
    """The clock of the test that asks, as it stood when it asked."""

    def __init__(self) -> None:
        self.times = (0.0, 0.0)

    def now(self) -> float:
        return self.times[0]

    def tick(self) -> float:
        return self.times[1]


class Objects:
    """The namespace, with names of its own for each opening: nobody can empty an object from outside."""

    def __init__(self, namespace: Any, opening: int) -> None:
        self._namespace = namespace
        self._opening = opening

    def getByName(self, name: str) -> Any:
        return self._namespace.getByName(f"{self._opening}:{name}")


class Metering:
    """A meter that keeps its leases, since those it hands out are the port's plain ones on the other side."""

    def __init__(self, meter: CloudflareMeter) -> None:
        self._meter = meter
        self._leases: dict[int, Lease] = {}

    async def take(self, demands: Any) -> Any:
        taken = await self._meter.take(demands)
        if not isinstance(taken, Lease):
            return taken
        self._leases[taken.id] = taken
        return Lease(taken.id, taken.demands, taken.standings)

    async def give(self, lease: Lease, used: int | None = None) -> None:
        await self._meter.give(self._leases[lease.id], used)

    async def mark(self, key: str, until: float) -> None:
        await self._meter.mark(key, until)


class Keyring(CloudflareCrypto):
    """A crypto that says how many keys it keeps."""

    async def kept(self) -> int:
        return len(self._keys)


class Vectored(CloudflareIndex):
    """An index whose Vectorize a test can spoil, and that says how it ends there."""

    async def find(self, owner: str, k: int, vector: Any, terms: Any, document: Any) -> Any:
        return await self.search(owner, k, vector=vector, terms=terms, document=document)

    async def breaks(self, operation: str) -> None:
        self._vectorize.broken = operation

    async def unindexed(self, kept: list[str]) -> None:
        """Vectorize is made anew, with these metadata indexes."""
        self._vectorize = js.fakes.VectorizeIndexImpl.new(self._dimension, to_js(kept))

    async def held(self) -> int:
        return int((await self._vectorize.describe()).vectorCount)

    async def rows(self, sql: str) -> Any:
        return await self._tables.rows(sql)


class Parts:
    """A request's body as a test's stream brought it, and how that ended."""

    def __init__(self, parts: list[bytes], failure: Exception | None) -> None:
        self._left = parts
        self._failure = failure

    def __aiter__(self) -> Parts:
        return self

    async def __anext__(self) -> bytes:
        if self._left:
            return self._left.pop(0)
        raise self._failure or StopAsyncIteration

    async def aclose(self) -> None:
        self._left.clear()


class Home:
    """All adapters that a session's tests opened, each by its number."""

    def __init__(self, bindings: Any, counts: Any) -> None:
        self._bindings = bindings
        self._counts = counts
        self._opened: list[Any] = []
        self._clocks: list[Any] = []
        self._running: dict[int, asyncio.Task | None] = {}
        self._found: dict[str, bool] = {}
        self._probing: list[str] | None = None
        self._books_made: tuple[Any, list[str]] | None = None

    async def answer(self, line: str) -> str:
        number, what, *args = pickle.loads(base64.b64decode(line))
        self._running[number] = asyncio.current_task()
        try:
            told = ("returned", await getattr(self, f"_{what}")(*args))
        except Error as error:
            told = ("failed", error)
        except StopAsyncIteration:
            told = ("ended", "")
        except asyncio.CancelledError:
            told = ("cancelled", "")
        except Exception as error:  # noqa: BLE001 - the test that asked judges it
            told = ("raised", f"{type(error).__name__}: {error}")
        finally:
            del self._running[number]
        return base64.b64encode(pickle.dumps((number, *told))).decode()

    def probe(self, text: str) -> str:
        """What the object has the gateway do: all that a test named are found so, and it was asked for them."""
        if self._probing is None:
            raise RuntimeError("No gateway is there.")
        self._probing.append(text)
        return kept(asked_at(text), self._found)

    async def _gateway(self, found: dict | None) -> None:
        """From here on probes find this; with None no gateway is there."""
        self._found, self._probing = found or {}, None if found is None else []

    async def _asked(self) -> list:
        """What probes were asked for."""
        return list(self._probing or ())

    async def _open(self, port: str, *args: Any) -> int:
        self._clocks.append(Hands())
        try:
            self._opened.append(await getattr(self, f"_{port}")(*args))
        except BaseException:
            self._clocks.pop()
            raise
        return len(self._opened) - 1

    async def _call(self, opened: int, times: tuple, method: str, args: tuple) -> Any:
        self._clocks[opened].times = times
        return await getattr(self._opened[opened], method)(*args)

    async def _fetch(self, request: Request, streamed: tuple | None) -> tuple:
        """The reply, with the number of its body where that is a stream."""
        if streamed is not None:
            request.body = Parts(*streamed)
        return self._told(await CloudflareFetch()(request))

    async def _run(self, model: str, request: Request) -> tuple:
        return self._told(await CloudflareRunner(js.fakes.AI).run(model, request))

    async def _embed(self, texts: list[str]) -> Any:
        return await CloudflareRunner(js.fakes.AI).embed(texts)

    def _told(self, response: Response) -> tuple:
        if isinstance(response.body, bytes):
            return response.status, response.headers, response.body
        self._clocks.append(Hands())
        self._opened.append(response.body)
        return response.status, response.headers, len(self._opened) - 1

    async def _statements(self, where: str, *steps: Any) -> Any:
        """Any statements, as the meter sends its own to an object of that name."""
        return await CloudflareMeter(self._bindings.METER)._run(where, list(steps))

    async def _new(self, where: str, alarm: int, *steps: Any) -> Any:
        """The first statements of an object, with so many milliseconds to its alarm."""
        return (
            await CloudflareMeter(self._bindings.METER)._send(where, New([*steps], alarm))
        ).error

    async def _probed(self, opening: int, soon: bool) -> list:
        """What the probes of an opening found, as an isolate reads it."""
        return list(await CloudflareProbes(Objects(self._bindings.METER, opening))(soon))

    async def _counted(self) -> dict[str, int]:
        """What the bindings were asked so far, where they count it (counted.mjs)."""
        return dict(self._counts.to_py())

    async def _imports(self, names: list[str]) -> float:
        """Imports these anew with no randomness to be had, as at a Worker's start, and says the seconds it took."""
        kept = {name: sys.modules.pop(name) for name in [*sys.modules] if is_ours(name)}
        began = time.perf_counter()
        try:
            with without_randomness():
                for name in names:
                    importlib.import_module(name)
            return time.perf_counter() - began
        finally:
            for name in [*sys.modules]:
                if is_ours(name):
                    del sys.modules[name]
            sys.modules.update(kept)

    async def _cancel(self, number: int) -> None:
        task = self._running.get(number)
        if task is not None:
            task.cancel()

    async def _store(self, most_bytes: int) -> CloudflareStore:
        await self._empty(self._bindings.KV, lambda listed: [key.name for key in listed.keys])
        return CloudflareStore(self._bindings.KV, self._clocks[-1], most_bytes)

    async def _replies(self, most_bytes: int) -> CloudflareReplies:
        """A place of its own for each opening: nobody can list what a cache has."""
        place = f"{PLACE}{len(self._opened)}/"
        return CloudflareReplies(replies, self._clocks[-1], most_bytes, place)

    async def _blobs(self) -> CloudflareBlobs:
        await self._empty(self._bindings.BLOBS, lambda listed: [one.key for one in listed.objects])
        return CloudflareBlobs(self._bindings.BLOBS, self._clocks[-1])

    async def _crypto(self) -> CloudflareCrypto:
        return Keyring()

    async def _parse(self) -> CloudflareParse:
        return CloudflareParse()

    async def _index(self, schema: list[str], model: str, dimension: int, has: int) -> Vectored:
        """An index of that model, over a Vectorize index of as many dimensions as it has."""
        tables = await self._tables()
        await tables.batch(*((statement, ()) for statement in schema))
        vectorize = js.fakes.VectorizeIndexImpl.new(has, to_js(["owner", "document"]))
        return Vectored(vectorize, tables, self._clocks[-1], os.urandom, model, dimension)

    async def _again(self, model: str, dimension: int) -> Vectored:
        """Another index on the same tables."""
        tables = CloudflareTables(self._bindings.DB)
        vectorize = js.fakes.VectorizeIndexImpl.new(dimension, to_js([]))
        return Vectored(vectorize, tables, self._clocks[-1], os.urandom, model, dimension)

    async def _tables(self) -> CloudflareTables:
        tables = CloudflareTables(self._bindings.DB)
        names = [name for name, _ in await tables.rows(TABLES) if not name.startswith("_cf_")]
        views = [f'drop view "{name}"' for (name,) in await tables.rows(VIEWS)]
        drops = [(sql, ()) for sql in (*views, *(f'drop table "{name}"' for name in names))]
        await tables.batch(("pragma defer_foreign_keys = on", ()), *drops)
        return CloudflareTables(self._bindings.DB)

    async def _books(self, schema: list[str]) -> CloudflareTables:
        """Tables of a schema with no row but its own: made once, which takes a second, and emptied from then on."""
        tables = CloudflareTables(self._bindings.DB)
        if self._books_made is not None and self._books_made[0] == await tables.rows(SCHEMA):
            emptied = [(f'delete from "{name}"', ()) for name in self._books_made[1]]
            await tables.batch(("pragma defer_foreign_keys = on", ()), *emptied)
            return tables
        await self._tables()
        await tables.batch(*((sql, ()) for sql in schema))
        made = await tables.rows(SCHEMA)
        names = [name for kind, name, _ in made if kind == "table"]
        own = [name for name in names if await tables.rows(f'select 1 from "{name}" limit 1')]
        self._books_made = made, [name for name in names if name not in own]
        return tables

    async def _meter(self, ruled: bool) -> Metering:
        """By the test's time, as whole microseconds (0.1 s is no float there), or by the object's own."""
        clock: Hands = self._clocks[-1]

        def now() -> int:
            start = round(clock.now() - clock.tick()) * 1_000_000
            return start + int(clock.tick() * 1e6 + 0.5)

        objects = Objects(self._bindings.METER, len(self._opened))
        return Metering(CloudflareMeter(objects, now if ruled else None))

    async def _empty(self, place: Any, keys: Any) -> None:
        for key in keys(await place.list()):
            await place.delete(key)
