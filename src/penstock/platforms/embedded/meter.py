"""The exact meter of one process, which hears of revocations by others on the next request."""

from __future__ import annotations

import asyncio
import mmap
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from penstock.platforms.memory.meter import MemoryMeter
from penstock.ports import Clock, Demand, Denial, Lease

EPOCH_FILE = "marks.epoch"
EPOCH_BYTES = 8

Load = Callable[[], Awaitable[object]]
"""Marks every revoked credential on this meter, from the tables."""


class Epoch:
    """A number in a file that all processes on a data directory share; reading it is reading memory."""

    def __init__(self, folder: Path) -> None:
        descriptor = os.open(folder / EPOCH_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(descriptor).st_size < EPOCH_BYTES:
                os.ftruncate(descriptor, EPOCH_BYTES)
            self._map = mmap.mmap(descriptor, EPOCH_BYTES)
        finally:
            os.close(descriptor)

    def read(self) -> bytes:
        return self._map[:EPOCH_BYTES]

    def close(self) -> None:
        self._map.close()


def bump(folder: Path) -> None:
    """Has every process on this data directory load its revocations again; call it once they are in the tables.

    The value is random, not the next number: two processes that bump at once need no lock to change it.
    """
    descriptor = os.open(folder / EPOCH_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.pwrite(descriptor, os.urandom(EPOCH_BYTES), 0)
    finally:
        os.close(descriptor)


class EmbeddedMeter:
    """MemoryMeter with the epoch: a take that finds it changed first loads the marks, or raises what loading raises."""

    def __init__(self, clock: Clock, epoch: Epoch) -> None:
        self._meter = MemoryMeter(clock)
        self._epoch = epoch
        self._seen = b""
        self._load: Load | None = None
        self._loading = asyncio.Lock()
        self.give = self._meter.give
        self.mark = self._meter.mark

    def load_marks_by(self, load: Load) -> None:
        """Loads by this before the next take, and whenever the epoch has changed."""
        self._load = load
        self._seen = b""

    async def take(self, demands: Sequence[Demand]) -> Lease | Denial:
        if self._load is not None and self._epoch.read() != self._seen:
            await self._refresh(self._load)
        return self._meter.decide(demands)

    async def _refresh(self, load: Load) -> None:
        """One load for all that wait for it, and another if the epoch changed meanwhile."""
        async with self._loading:
            while (epoch := self._epoch.read()) != self._seen:
                await load()
                self._seen = epoch
