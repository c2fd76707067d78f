"""Runs in Pyodide: the platform of path tests on a Worker's bindings, and the event loop that waits for them."""

from __future__ import annotations

import asyncio
import os
from asyncio import base_events, events
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pyodide.ffi import run_sync

from penstock.platforms.cloudflare.blobs import CloudflareBlobs
from penstock.platforms.cloudflare.crypto import CloudflareCrypto
from penstock.platforms.cloudflare.index import CloudflareIndex
from penstock.platforms.cloudflare.meter import CloudflareMeter
from penstock.platforms.cloudflare.parse import CloudflareParse
from penstock.platforms.cloudflare.replies import CloudflareReplies
from penstock.platforms.cloudflare.store import CloudflareStore
from penstock.platforms.cloudflare.tables import CloudflareTables
from penstock.platforms.memory.world import Background, FakeClock, FakeFetch, FakeIds, Handler
from penstock.ports import Platform, Runner

MOST_BYTES = 64 << 20
_PYODIDES = events._get_running_loop()


@dataclass(frozen=True, slots=True)
class BoundPlatform(Platform):
    """A Platform whose parts show what only tests may touch, as MemoryPlatform's do."""

    fetch: FakeFetch
    clock: FakeClock
    ids: FakeIds
    spawn: Background
    vectorize: Any = None

    def indexed(self, model: str, dimension: int) -> CloudflareIndex:
        """An index of that model, on these tables and over something that looks like Vectorize."""
        vectorize = self.vectorize(dimension)
        return CloudflareIndex(vectorize, self.tables, self.clock, os.urandom, model, dimension)


class Worlds:
    """Gives a platform to each world that a test makes."""

    def __init__(self, worlds: Any) -> None:
        self._worlds = worlds

    def platform(
        self, handler: Handler | None = None, *, now: float = 1_800_000_000.0, runner: Runner | None = None
    ) -> BoundPlatform:  # fmt: skip
        """A new world at that time; `handler` answers for the upstream."""
        bindings = wait(self._worlds.open)
        clock, ids = FakeClock(now), FakeIds()
        return BoundPlatform(
            name="cloudflare",
            fetch=FakeFetch(handler),
            store=CloudflareStore(bindings.KV, clock, MOST_BYTES),
            blobs=CloudflareBlobs(bindings.BLOBS, clock),
            meter=CloudflareMeter(bindings.METER, lambda: micros(clock)),
            tables=CloudflareTables(bindings.DB),
            clock=clock,
            ids=ids,
            spawn=Background(),
            crypto=CloudflareCrypto(),
            runner=runner,
            parse=CloudflareParse(),
            replies=CloudflareReplies(lambda: bindings.replies, clock, MOST_BYTES),
            shared_loop=False,
            secret=ids.secret(32),
            vectorize=bindings.vectorize,
        )

    def run(self, main: Coroutine[Any, Any, Any]) -> Any:
        """As asyncio.run, on a loop of ours."""
        with asyncio.Runner(loop_factory=lambda: Loop(self._worlds)) as runner:
            return runner.run(_alone(main))


async def _alone(main: Coroutine[Any, Any, Any]) -> Any:
    """Ends all that was left running, and what that starts in turn: a journal that is cut off while it writes tries again."""
    try:
        return await main
    finally:
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in others:
                task.cancel()
            await asyncio.wait(others)


IDLE_MS, MOST_IDLE = 5, 1_000


class Loop(base_events.BaseEventLoop):
    """Between two turns all is answered that the bindings were asked: to a test they are as quick as memory."""

    def __init__(self, worlds: Any) -> None:
        super().__init__()
        self._selector = self
        self._worlds = worlds
        self._idle = 0

    def select(self, timeout: float | None) -> tuple[()]:
        if self._worlds.waits():
            wait(self._worlds.answered)
        elif timeout is None:
            # WebCrypto's promises are no binding's, so that nobody counts them.
            self._idle += 1
            if self._idle > MOST_IDLE:
                raise RuntimeError("This test waits for what nothing will bring.")
            wait(self._worlds.pause, IDLE_MS)
            return ()
        elif timeout > 0:
            wait(self._worlds.pause, timeout * 1000)
        self._idle = 0
        return ()

    def _process_events(self, _: object) -> None:
        return

    def _write_to_self(self) -> None:
        return


def micros(clock: FakeClock) -> int:
    """The test's time as whole microseconds: 0.1 s is no float there."""
    start = round(clock.now() - clock.tick()) * 1_000_000
    return start + int(clock.tick() * 1e6 + 0.5)


def wait(call: Any, *args: Any) -> Any:
    """What a function of JavaScript's brings in the end; meanwhile nothing else of Python's runs.

    Pyodide makes what it returns a future of the loop that runs, and its own is the one that goes on.
    """
    with _outside():
        return run_sync(call(*args))


@contextmanager
def _outside() -> Iterator[None]:
    """`run_sync` knows Pyodide's own loop alone."""
    ours = events._get_running_loop()
    events._set_running_loop(_PYODIDES)
    try:
        yield
    finally:
        events._set_running_loop(ours)
