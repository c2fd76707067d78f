"""Runs in Pyodide: holds the Cloudflare adapters, and does what tests/edge/home.py asks of them.

A message is a pickled tuple in Base64, so that both ends see the same values; only this repository's tests write them.
"""

from __future__ import annotations

import asyncio
import base64
import pickle
from typing import Any

from penstock.errors import Conflict, Unavailable
from penstock.platforms.cloudflare.blobs import CloudflareBlobs
from penstock.platforms.cloudflare.store import CloudflareStore
from penstock.platforms.cloudflare.tables import CloudflareTables
from penstock.platforms.constraints import TABLES


class Hands:
    """The clock of the test that asks, as it stood when it asked."""

    def __init__(self) -> None:
        self.times = (0.0, 0.0)

    def now(self) -> float:
        return self.times[0]

    def tick(self) -> float:
        return self.times[1]


class Home:
    """All adapters that a session's tests opened, each by its number."""

    def __init__(self, bindings: Any) -> None:
        self._bindings = bindings
        self._opened: list[Any] = []
        self._clocks: list[Any] = []
        self._running: dict[int, asyncio.Task | None] = {}

    async def answer(self, line: str) -> str:
        number, what, *args = pickle.loads(base64.b64decode(line))
        self._running[number] = asyncio.current_task()
        try:
            told = ("returned", await getattr(self, f"_{what}")(*args))
        except Conflict as conflict:
            told = ("conflict", conflict.name)
        except Unavailable as refused:
            told = ("unavailable", str(refused))
        except asyncio.CancelledError:
            told = ("cancelled", "")
        except Exception as error:  # noqa: BLE001 - the test that asked judges it
            told = ("raised", f"{type(error).__name__}: {error}")
        finally:
            del self._running[number]
        return base64.b64encode(pickle.dumps((number, *told))).decode()

    async def _open(self, port: str, *args: Any) -> int:
        self._clocks.append(Hands())
        self._opened.append(await getattr(self, f"_{port}")(*args))
        return len(self._opened) - 1

    async def _call(self, opened: int, times: tuple, method: str, args: tuple) -> Any:
        self._clocks[opened].times = times
        return await getattr(self._opened[opened], method)(*args)

    async def _cancel(self, number: int) -> None:
        task = self._running.get(number)
        if task is not None:
            task.cancel()

    async def _store(self, most_bytes: int) -> CloudflareStore:
        await self._empty(self._bindings.KV, lambda listed: [key.name for key in listed.keys])
        return CloudflareStore(self._bindings.KV, self._clocks[-1], most_bytes)

    async def _blobs(self) -> CloudflareBlobs:
        await self._empty(self._bindings.BLOBS, lambda listed: [one.key for one in listed.objects])
        return CloudflareBlobs(self._bindings.BLOBS, self._clocks[-1])

    async def _tables(self) -> CloudflareTables:
        tables = CloudflareTables(self._bindings.DB)
        names = [name for name, _ in await tables.rows(TABLES) if not name.startswith("_cf_")]
        drops = [(f'drop table "{name}"', ()) for name in names]
        await tables.batch(("pragma defer_foreign_keys = on", ()), *drops)
        return CloudflareTables(self._bindings.DB)

    async def _empty(self, place: Any, keys: Any) -> None:
        for key in keys(await place.list()):
            await place.delete(key)
