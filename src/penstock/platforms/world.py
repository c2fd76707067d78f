"""Time, ids and background work of a process."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Coroutine
from typing import Any

LOG = logging.getLogger(__name__)

RANDOM_BYTES = 10
BUFFER_BYTES = 4_000
FRACTION_BITS = 53


class RealClock:
    """The machine's clock."""

    now = staticmethod(time.time)
    tick = staticmethod(time.perf_counter)
    sleep = staticmethod(asyncio.sleep)
    timeout = staticmethod(asyncio.timeout)


class RandomIds:
    """Ids of 48 bits of milliseconds and 80 random bits in hex, drawn from the system in bulk."""

    def __init__(self) -> None:
        self._buffer = ""
        self._place = 0
        self._at = 0
        self._stamp = ""

    def new(self, prefix: str) -> str:
        start, end = self._place, self._place + 2 * RANDOM_BYTES
        if end > len(self._buffer):
            self._buffer = os.urandom(BUFFER_BYTES).hex()
            start, end = 0, 2 * RANDOM_BYTES
        self._place = end
        at = int(time.time() * 1000)
        if at != self._at:
            self._at, self._stamp = at, f"{at:012x}"
        return prefix + self._stamp + self._buffer[start:end]

    def secret(self, size: int) -> bytes:
        return os.urandom(size)

    def fraction(self) -> float:
        return int.from_bytes(os.urandom(7), "big") % (1 << FRACTION_BITS) / (1 << FRACTION_BITS)


class Spawner:
    """`Spawn` that holds its tasks until they end, and says in the log which kind of failure ended one."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def drain(self, seconds: float) -> None:
        """Waits for all of it, and cancels what has not ended by then."""
        end = asyncio.get_running_loop().time() + seconds
        while self._tasks:
            left = end - asyncio.get_running_loop().time()
            _, late = await asyncio.wait(set(self._tasks), timeout=max(0.0, left))
            if late:
                for task in late:
                    task.cancel()
                await asyncio.wait(late)
                return

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            name = getattr(task.get_coro(), "__qualname__", "work")
            LOG.error("Background work %s ended with %s.", name, type(error).__name__)
