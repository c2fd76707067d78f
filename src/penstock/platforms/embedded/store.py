"""Small values in memory, and behind it in a file that a restart finds again."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw

from penstock.platforms.embedded.shelf import DAMAGED, Change, Shelf
from penstock.platforms.memory.store import MemoryStore
from penstock.ports import Clock

LOG = logging.getLogger(__name__)

DISK_SHARE = 10
"""The file holds this many times what memory does."""
WAITING_BYTES = 16 << 20
MOST_WAITING = 10_000
MOST_READS = 256
GATHER_SECONDS = 0.1
SIEVE_BITS = 1 << 23
"""One bit a key, chosen by its hash: of 400,000 keys in the file, one of twenty others seems to be there."""


class EmbeddedStore:
    """MemoryStore before a file that one thread writes and another reads.

    A value that finds too many waiting to be written, or a failing disk, is in memory alone. `get` of what is neither in
    memory nor, by a sieve of its keys, in the file goes to no thread.
    """

    def __init__(self, path: Path, clock: Clock, max_bytes: int) -> None:
        self._clock = clock
        self._memory = MemoryStore(clock, max_bytes)
        self._place = (path, clock, max_bytes * DISK_SHARE)
        self._writer = Shelf(*self._place)
        self._reader = Shelf(*self._place)
        self._sieve: bytearray | None = None
        self._lock = threading.Lock()
        self._waiting: dict[str, Change] = {}
        self._writing: dict[str, Change] = {}
        self._waiting_bytes = 0
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._drops = 0
        self._reading = 0
        self._pool = ThreadPoolExecutor(1, "penstock-cache-read")
        self._thread = threading.Thread(target=self._work, name="penstock-cache", daemon=True)
        self._thread.start()

    async def get(self, key: str) -> bytes | None:
        value = self._memory.peek(key)
        if value is not None or not self._may_hold(key):
            return value
        return await self._find(key)

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        self._memory.keep(key, value, ttl)
        if ttl > 0:
            self._change(key, (value, self._clock.now() + ttl))
        else:
            self._change(key, None)

    async def delete(self, key: str) -> None:
        self._drops += 1
        self._memory.drop(key)
        self._change(key, None)

    async def close(self) -> None:
        """Writes what waits."""
        self._closing.set()
        self._wake.set()
        await asyncio.to_thread(self._thread.join)
        self._pool.shutdown()
        self._reader.close()
        self._writer.close()

    async def _find(self, key: str) -> bytes | None:
        with self._lock:
            for changes in (self._waiting, self._writing):
                if key in changes:
                    return self._fresh(changes[key])
        drops = self._drops
        found = await self._read(key)
        newer = self._memory.peek(key)
        if newer is not None or found is None or drops != self._drops:
            return newer
        self._memory.keep(key, found[0], found[1] - self._clock.now())
        return found[0]

    async def _read(self, key: str) -> tuple[bytes, float] | None:
        if self._reading >= MOST_READS:
            return None
        self._reading += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self._reader.get, key)
        except apsw.Error:
            return None
        finally:
            self._reading -= 1

    def _fresh(self, change: Change) -> bytes | None:
        return change[0] if change is not None and change[1] > self._clock.now() else None

    def _change(self, key: str, change: Change) -> None:
        """Has the thread write it; a value for which there is no room to wait only drops the older one there."""
        size = len(change[0]) if change is not None else 0
        with self._lock:
            full = len(self._waiting) >= MOST_WAITING or self._waiting_bytes + size > WAITING_BYTES
            if full and change is not None:
                change, size = None, 0
            if change is None and not self._may_hold(key):
                return
            self._waiting[key] = change
            self._waiting_bytes += size
            if self._sieve is not None:
                _add(self._sieve, key)
        if not self._wake.is_set():
            self._wake.set()

    def _may_hold(self, key: str) -> bool:
        """False where the key is surely neither in the file nor on its way there."""
        if self._sieve is None:
            return True
        place = hash(key) % SIEVE_BITS
        return bool(self._sieve[place >> 3] & (1 << (place & 7)))

    def _work(self) -> None:
        self._attempt(self._fill_sieve)
        while not self._closing.is_set():
            self._wake.wait()
            self._closing.wait(GATHER_SECONDS)
            self._wake.clear()
            self._write()
        self._write()

    def _write(self) -> None:
        with self._lock:
            self._writing, self._waiting = self._waiting, {}
            self._waiting_bytes = 0
        self._attempt(lambda: self._writer.write(self._writing))
        with self._lock:
            self._writing = {}

    def _fill_sieve(self) -> None:
        sieve = bytearray(SIEVE_BITS // 8)
        for key in self._writer.all_keys():
            _add(sieve, key)
        with self._lock:
            for key in self._waiting:
                _add(sieve, key)
            self._sieve = sieve

    def _attempt(self, work: Callable[[], None]) -> None:
        """Loses these changes where the disk fails, and the file where it is damaged."""
        try:
            work()
        except DAMAGED:
            LOG.warning("The cache's file is damaged; it begins anew.")
            self._remake()
        except (apsw.Error, OSError) as error:
            LOG.warning("The cache cannot be written: %s", type(error).__name__)

    def _remake(self) -> None:
        try:
            self._writer.remake()
            # A read that still runs ends on the old, deleted file.
            self._reader = Shelf(*self._place)
        except (apsw.Error, OSError) as error:
            LOG.warning("The cache's file cannot be made: %s", type(error).__name__)


def _add(sieve: bytearray, key: str) -> None:
    place = hash(key) % SIEVE_BITS
    sieve[place >> 3] |= 1 << (place & 7)
