"""Work behind answers: bounded in number, ended by a stop."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from penstock.gateway.measures import family
from penstock.ports import Spawn

MOST = 16
"""Pieces of it at once; what finds no place is left out."""


class Behind:
    """What nobody waits for. A stop cancels it, and waits until each has ended what it holds."""

    def __init__(self, spawn: Spawn) -> None:
        self._spawn = spawn
        self._tasks: set[asyncio.Task[None]] = set()
        self._places = MOST
        self._stopping = False
        self.outcomes: Counter[tuple[str, str]] = Counter()
        """How often what came of a route's shadows."""

    def begin(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Whether it found a place."""
        if self._stopping or not self._places:
            return False
        self._places -= 1
        self._spawn(self._run(work))
        return True

    @property
    def running(self) -> int:
        return MOST - self._places

    def metrics(self) -> str:
        """What came of shadows so far."""
        counted = (
            ({"route": route, "outcome": outcome}, count)
            for (route, outcome), count in sorted(self.outcomes.items())
        )
        return family("penstock_shadows_total", "Shadows by what came of them.", counted)

    async def stop(self) -> None:
        """Ends all of it; nothing begins any more."""
        self._stopping = True
        while tasks := tuple(self._tasks):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _run(self, work: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if not self._stopping:
                await work()
        except asyncio.CancelledError:
            if not self._stopping:
                raise
        finally:
            self._tasks.discard(task)
            self._places += 1
