"""What the workers of one server tell each other: a piece of memory with a place for each one's metrics."""

from __future__ import annotations

import asyncio
import mmap
import zlib
from contextlib import suppress
from struct import Struct

from penstock.gateway import Gateway, tally
from penstock.gateway.admin import own_metrics

PLACE_BYTES = 1 << 20
HEAD = Struct("<II")
"""Length and checksum of what follows: one who reads while another writes sees that."""
MOST_TRIES = 3
SECONDS = 1.0


class Board:
    """Made before the workers are, so that they all have it. A place is written by its own worker alone."""

    def __init__(self, places: int) -> None:
        self._memory = mmap.mmap(-1, places * PLACE_BYTES)
        self._places = places

    def write(self, place: int, text: str) -> None:
        """What does not fit is left out whole: the old text stays."""
        data = text.encode()
        if len(data) > PLACE_BYTES - HEAD.size:
            return
        start = place * PLACE_BYTES
        self._memory[start + HEAD.size : start + HEAD.size + len(data)] = data
        self._memory[start : start + HEAD.size] = HEAD.pack(len(data), zlib.crc32(data))

    def read(self, place: int) -> str:
        """The newest text of a worker; empty where there is none, or it is being written again and again."""
        start = place * PLACE_BYTES
        for _ in range(MOST_TRIES):
            length, check = HEAD.unpack(self._memory[start : start + HEAD.size])
            data = self._memory[start + HEAD.size : start + HEAD.size + length]
            if zlib.crc32(data) == check:
                return data.decode()
        return ""

    def others(self, place: int) -> list[str]:
        """Those of all workers but one."""
        return [self.read(number) for number in range(self._places) if number != place]


async def sharing(board: Board, place: int, gateway: Gateway, stop: asyncio.Event) -> None:
    """Has `/metrics` tell of all workers, none more than a second old. A worker goes on from the counters of the one
    it replaces: what only grows must not fall."""
    counters, clock = gateway.counters, gateway.platform.clock
    left = tally.counted(board.read(place))
    counters.elsewhere = lambda: [left, *board.others(place)]
    while not stop.is_set():
        board.write(place, tally.added([own_metrics(gateway), left]))
        with suppress(TimeoutError):
            async with clock.timeout(SECONDS):
                await stop.wait()
