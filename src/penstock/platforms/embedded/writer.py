"""The one thread that writes the tables."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Sequence
from typing import NamedTuple

import apsw

from penstock.errors import Unavailable
from penstock.platforms.embedded.group import Batch, Group, Outcome, refuse_all
from penstock.platforms.memory import sqlite
from penstock.ports import Row

MOST_IN_GROUP = 64
"""Batches in one transaction: what comes after them waits a few milliseconds."""
MOST_WAITING = 10_000

Results = Sequence[Sequence[Row]]


class Waiting(NamedTuple):
    batch: Batch
    done: asyncio.Future[Results]


class Writer:
    """Commits in groups, in order: a group is all that came while the one before it was written.

    `pause` is held while a group is written; whoever else holds it keeps the writer waiting.
    """

    def __init__(self, group: Group, pause: threading.Lock, most: int = MOST_WAITING) -> None:
        self._group = group
        self._pause = pause
        self._most = most
        self._closed = False
        self._queue: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="penstock-tables", daemon=True)
        self._thread.start()

    def submit(self, batch: Batch) -> asyncio.Future[Results]:
        """What will become of a batch; raises Unavailable when too many wait, or none is taken any more."""
        if self._closed or self._queue.qsize() >= self._most:
            raise Unavailable("The tables take no more writes now.")
        done: asyncio.Future[Results] = asyncio.get_running_loop().create_future()
        self._queue.put(Waiting(batch, done))
        return done

    async def close(self) -> None:
        """Returns when all that was submitted is written."""
        self._closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.sleep(0)  # the loop tells the last callers now

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            taken, last = self._take(first)
            batches = [waiting.batch for waiting in taken]
            with self._pause:
                outcomes = self._outcomes(batches)
            loop = first.done.get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(_tell, taken, outcomes)
            if last:
                return

    def _outcomes(self, batches: Sequence[Batch]) -> list[Outcome]:
        try:
            return self._group.run(batches)
        except apsw.BusyError:
            return refuse_all(batches)
        except sqlite.OUT_OF_REACH:
            return [Unavailable("The tables cannot be reached or written.") for _ in batches]
        except Exception as error:  # noqa: BLE001 - without its thread every later batch would wait for ever
            return [error for _ in batches]

    def _take(self, first: Waiting) -> tuple[list[Waiting], bool]:
        """This batch with those that wait behind it, and whether it was the last group."""
        taken = [first]
        while len(taken) < MOST_IN_GROUP and not self._queue.empty():
            waiting = self._queue.get_nowait()
            if waiting is None:
                return taken, True
            taken.append(waiting)
        return taken, False


def _tell(taken: Sequence[Waiting], outcomes: Sequence[Outcome]) -> None:
    """Tells each caller what became of its batch, but those that left."""
    for (_, done), outcome in zip(taken, outcomes, strict=True):
        if done.done():
            continue
        if isinstance(outcome, Exception):
            done.set_exception(outcome)
        else:
            done.set_result(outcome)
