"""A world under a test's control: its time, its ids, its background work, its upstream."""

from __future__ import annotations

import asyncio
import heapq
import inspect
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from penstock.errors import NotSent
from penstock.wire.http import Request, Response

Handler = Callable[[Request], Response | Awaitable[Response]]
Timer = tuple[float, int, Callable[[], None]]

SETTLING_TURNS = 50
"""Turns of the event loop that woken tasks get before time moves on."""


class FakeClock:
    """Time that passes only when a test says so."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._start = now
        self._passed = 0.0
        self._timers: list[Timer] = []
        self._numbers = count()

    @property
    def waiting(self) -> int:
        """Sleeps and time-outs that are not due yet."""
        return len(self._timers)

    def now(self) -> float:
        return self._start + self._passed

    def tick(self) -> float:
        return self._passed

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self._call_after(seconds, lambda: _wake(woken))
        try:
            await woken
        finally:
            self._forget(timer)

    @asynccontextmanager
    async def timeout(self, seconds: float) -> AsyncGenerator[None]:
        async with asyncio.timeout(None) as block:
            timer = self._call_after(seconds, lambda: block.reschedule(0.0))
            try:
                yield
            finally:
                self._forget(timer)

    def advance(self, seconds: float) -> None:
        """Time passes at once; what is due wakes in order, and runs when the caller next waits."""
        self._until(self._passed + seconds)

    async def run(self, seconds: float) -> None:
        """Time passes from one due moment to the next, and what wakes runs before time moves on."""
        end = self._passed + seconds
        await _settle()
        while self._timers and self._timers[0][0] <= end:
            self._until(max(self._timers[0][0], self._passed))
            await _settle()
        self._until(end)

    def _until(self, end: float) -> None:
        while self._timers and self._timers[0][0] <= end:
            due, _, wake = heapq.heappop(self._timers)
            self._passed = max(self._passed, due)
            wake()
        self._passed = end

    def _call_after(self, seconds: float, wake: Callable[[], None]) -> Timer:
        timer = (self._passed + seconds, next(self._numbers), wake)
        if seconds > 0:
            heapq.heappush(self._timers, timer)
        else:
            wake()
        return timer

    def _forget(self, timer: Timer) -> None:
        if timer in self._timers:
            self._timers.remove(timer)
            heapq.heapify(self._timers)


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)


async def _settle() -> None:
    for _ in range(SETTLING_TURNS):
        await asyncio.sleep(0)


class FakeIds:
    """Ids and chances that a seed decides."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self._made = 0

    def new(self, prefix: str) -> str:
        self._made += 1
        return f"{prefix}{self._made:012x}{self._random.getrandbits(80):020x}"

    def secret(self, size: int) -> bytes:
        return self._random.randbytes(size)

    def fraction(self) -> float:
        return self._random.random()


class Background:
    """`Spawn` that remembers what it started, so that a test can wait for it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.add(asyncio.get_running_loop().create_task(work))

    @property
    def running(self) -> int:
        return sum(not task.done() for task in self._tasks)

    async def join(self) -> None:
        """Waits for all of it, with what it starts in turn; raises the first failure."""
        while self._tasks:
            task = next(iter(self._tasks))
            try:
                await asyncio.wait([task])
            finally:
                if task.done():
                    self._tasks.discard(task)
            if not task.cancelled():
                task.result()

    async def cancel(self) -> None:
        """Ends all of it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()


class FakeFetch:
    """An upstream that a test answers for; `requests` are those that came."""

    def __init__(self, handler: Handler | None = None) -> None:
        self.handler = handler
        self.requests: list[Request] = []

    async def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        if self.handler is None:
            raise NotSent("No upstream is set.")
        answer = self.handler(request)
        return await answer if inspect.isawaitable(answer) else answer
