"""Streams whose readers have all left, read on to their usage report where the provider's settings say so."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from penstock.cache.flights import Flight
from penstock.config import Provider
from penstock.ports import Clock, Spawn

if TYPE_CHECKING:
    from penstock.gateway.delivery import Delivery

MOST = 256
"""Streams drained at a time; beyond it a left stream is cancelled as by default."""


class Drains:
    """A drain is one more reader of its flight, whom nobody sees: who asks the same meanwhile reads along.

    It is bounded in seconds and bytes by the provider's settings and in number by MOST.
    """

    def __init__(self, clock: Clock, spawn: Spawn) -> None:
        self._clock = clock
        self._spawn = spawn
        self._tasks: set[asyncio.Task[None]] = set()
        self._places = MOST
        self._stopping = False

    def board(self, delivery: Delivery, flight: Flight, position: int, at: Provider) -> None:
        """Takes the place of a flight's last reader, if that is who leaves, before the end, from a provider to drain."""
        if at.on_disconnect != "drain" or flight.readers > 1 or self._stopping or not self._places:
            return
        if flight.over or flight.ended or flight.whole:
            return
        flight.join()
        self._places -= 1
        self._spawn(self._drain(delivery, flight, position, at))

    async def stop(self) -> None:
        """Ends all of them; each settles by what was reported until now."""
        self._stopping = True
        while tasks := tuple(self._tasks):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _drain(self, delivery: Delivery, flight: Flight, position: int, at: Provider) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(TimeoutError, asyncio.CancelledError):
                async with self._clock.timeout(at.drain_seconds):
                    if not self._stopping:
                        await _read(flight, position, at.drain_bytes)
            flight.leave()
            await delivery.end(flight)
        finally:
            self._tasks.discard(task)
            self._places += 1


async def _read(flight: Flight, position: int, most: int) -> None:
    size = 0
    while size < most and (events := await flight.after(position)):
        position += len(events)
        size += sum(len(event.data) for event in events)
        if events[-1].end:
            return
