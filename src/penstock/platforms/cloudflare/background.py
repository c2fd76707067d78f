"""Work that outlives its reply: the runtime is told to wait for it, up to 30 s after the caller has gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from penstock.platforms.cloudflare import values

LOG = logging.getLogger(__name__)


class Background:
    """`Spawn` by a `waitUntil` of JavaScript: without it a task is dropped when its request has its reply."""

    def __init__(self, wait_until: Any) -> None:
        self._wait_until = wait_until
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, work: Coroutine[Any, Any, None]) -> None:
        self.start(work)

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """The same, and the task."""
        ended, end = values.promise()
        self._wait_until(ended)
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            end()
            if not task.cancelled() and (error := task.exception()) is not None:
                name = getattr(task.get_coro(), "__qualname__", "work")
                LOG.error("Background work %s ended with %s.", name, type(error).__name__)

        task.add_done_callback(done)
        return task
