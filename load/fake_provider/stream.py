"""Streams without faults: each event in a write of its own, all streams taking turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from load.fake_provider.meter import Call
from load.fake_provider.plan import Wire


class Sink(Protocol):
    """Where bytes go: an asyncio transport."""

    def write(self, data: bytes) -> None:
        """Sends, or keeps for later."""


class Playback:
    """One stream on its way out; `done` is called once its last event is written."""

    def __init__(
        self, sink: Sink, wire: Wire, data: bytes, call: Call, done: Callable[[], None]
    ) -> None:
        self.sink = sink
        self.ends = wire.ends
        self.data = data
        self.call = call
        self.done = done
        self.index = 0
        self.at = 0
        self.paused = False
        self.stopped = False
        self.queued = False

    def step(self) -> bool:
        """Writes the next event; False when there is nothing more to do for now."""
        if self.paused or self.stopped:
            self.queued = False
            return False
        end = self.ends[self.index]
        self.sink.write(self.data[self.at : end])
        self.at = end
        self.index += 1
        if self.index == len(self.ends):
            self.stopped, self.queued = True, False
            self.done()
            return False
        return True


class Pump:
    """Gives every running stream one event a turn of the loop, so that no two share a write."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.running: list[Playback] = []
        self.scheduled = False

    def add(self, playback: Playback) -> None:
        """Starts a stream, or goes on with one that was paused."""
        if not playback.queued:
            playback.queued = True
            self.running.append(playback)
        if not self.scheduled:
            self.scheduled = True
            self.loop.call_soon(self._turn)

    def _turn(self) -> None:
        turn, self.running = self.running, []
        self.running += [playback for playback in turn if playback.step()]
        self.scheduled = bool(self.running)
        if self.scheduled:
            self.loop.call_soon(self._turn)


class Pacer:
    """Gives a stream its events at a fixed rate, by the clock and not by the gaps."""

    def __init__(self, loop: asyncio.AbstractEventLoop, events_per_second: float) -> None:
        self.loop = loop
        self.gap = 1 / events_per_second

    def add(self, playback: Playback) -> None:
        """Starts a stream, or goes on with one that was paused."""
        if not playback.queued:
            playback.queued = True
            self._tick(playback, self.loop.time())

    def _tick(self, playback: Playback, due: float) -> None:
        if playback.step():
            due += self.gap
            self.loop.call_at(due, self._tick, playback, due)
