"""Where group commits run: on the event loop between two turns, or on a thread of their own."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import apsw

from penstock.errors import Unavailable
from penstock.platforms.embedded.group import Batch, Group, Outcome, refuse_all
from penstock.ports import Row

MOST_IN_GROUP = 64
"""Batches in one transaction: what waits behind it waits a few milliseconds."""
MOST_WAITING = 10_000
BUSY_SECONDS = 5.0
"""How long another process may hold the tables before batches are refused."""
RETRY_SECONDS = 0.005


class Waiting(NamedTuple):
    batch: Batch
    done: asyncio.Future[Sequence[Sequence[Row]]]


class Writer(Protocol):
    """Takes batches and commits them in groups, in order."""

    def submit(self, batch: Batch) -> asyncio.Future[Sequence[Sequence[Row]]]:
        """Raises Unavailable when too many wait."""

    async def close(self) -> None:
        """Returns when all that was submitted is committed; nothing may be submitted after."""


class LoopWriter:
    """Commits on the event loop, once a turn: no hand-over to a thread, where a commit needs no fsync.

    `pause` is held by whoever must keep it from writing for a moment; it then tries again without blocking the loop.
    """

    def __init__(self, group: Group, pause: threading.Lock, most: int = MOST_WAITING) -> None:
        self._group = group
        self._pause = pause
        self._most = most
        self._waiting: deque[Waiting] = deque()
        self._scheduled = False
        self._busy_since = 0.0

    def submit(self, batch: Batch) -> asyncio.Future[Sequence[Sequence[Row]]]:
        loop = asyncio.get_running_loop()
        _check_room(len(self._waiting), self._most)
        done: asyncio.Future[Sequence[Sequence[Row]]] = loop.create_future()
        self._waiting.append(Waiting(batch, done))
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._commit, loop)
        return done

    async def close(self) -> None:
        while self._waiting:
            await asyncio.wait([waiting.done for waiting in self._waiting])

    def _commit(self, loop: asyncio.AbstractEventLoop) -> None:
        self._scheduled = False
        if not self._pause.acquire(blocking=False):
            self._again(loop, RETRY_SECONDS)
            return
        try:
            self._commit_group(loop)
        finally:
            self._pause.release()
        if self._waiting and not self._scheduled:
            self._again(loop, 0)

    def _commit_group(self, loop: asyncio.AbstractEventLoop) -> None:
        taken = [self._waiting.popleft() for _ in range(min(MOST_IN_GROUP, len(self._waiting)))]
        wanted = [waiting for waiting in taken if not waiting.done.cancelled()]
        if not wanted:
            return
        batches = [waiting.batch for waiting in wanted]
        try:
            outcomes = self._group.run(batches)
            self._busy_since = 0.0
        except apsw.BusyError:
            now = loop.time()
            self._busy_since = self._busy_since or now
            if now - self._busy_since < BUSY_SECONDS:
                self._waiting.extendleft(reversed(wanted))
                self._again(loop, RETRY_SECONDS)
                return
            outcomes = refuse_all(batches)
        resolve(wanted, outcomes)

    def _again(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._scheduled = True
        loop.call_later(seconds, self._commit, loop)


class ThreadWriter:
    """Commits on one thread, where a commit waits for the disk."""

    def __init__(self, group: Group, pause: threading.Lock, most: int = MOST_WAITING) -> None:
        self._group = group
        self._pause = pause
        self._most = most
        self._queue: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="penstock-tables", daemon=True)
        self._thread.start()

    def submit(self, batch: Batch) -> asyncio.Future[Sequence[Sequence[Row]]]:
        _check_room(self._queue.qsize(), self._most)
        done: asyncio.Future[Sequence[Sequence[Row]]] = asyncio.get_running_loop().create_future()
        self._queue.put(Waiting(batch, done))
        return done

    async def close(self) -> None:
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.sleep(0)  # the last group's futures are set by the loop

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            taken, last = self._take(first)
            batches = [waiting.batch for waiting in taken]
            with self._pause:
                try:
                    outcomes = self._group.run(batches)
                except apsw.BusyError:
                    outcomes = refuse_all(batches)
            loop = taken[0].done.get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(resolve, taken, outcomes)
            if last:
                return

    def _take(self, first: Waiting) -> tuple[list[Waiting], bool]:
        """This batch with those that wait behind it, and whether there will be no more."""
        taken = [first]
        while len(taken) < MOST_IN_GROUP and not self._queue.empty():
            waiting = self._queue.get_nowait()
            if waiting is None:
                return taken, True
            taken.append(waiting)
        return taken, False


def resolve(waiting: Sequence[Waiting], outcomes: Sequence[Outcome]) -> None:
    """Tells each caller what became of its batch, but those that left."""
    for (_, done), outcome in zip(waiting, outcomes, strict=True):
        if done.done():
            continue
        if isinstance(outcome, Exception):
            done.set_exception(outcome)
        else:
            done.set_result(outcome)


def _check_room(waiting: int, most: int) -> None:
    if waiting >= most:
        raise Unavailable("Too many writes wait for the tables.")
