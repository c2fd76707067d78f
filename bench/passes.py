"""`penstock`, whose passes in turn sum the rows since the last one and only move the mark over them: what the sums cost a request
is the difference, in one process and within seconds, where two processes beside each other differ by more than that for no reason.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from penstock.entry import upkeeping
from penstock.entry.cli import main
from penstock.ledger import rollups
from penstock.ledger.rollups import Pace, sql
from penstock.ports import Clock, Tables

EVERY_SECONDS = 0.5
TURNS = (True, False, False, True)
"""So that a machine that becomes slower does so for both alike."""


class Turn(NamedTuple):
    """From one pass to the next: whether the pass summed, and what the gateway did and took meanwhile."""

    sums: bool
    seconds: float
    cpu_seconds: float
    requests: int

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def cpu_us(self) -> float:
        """CPU µs a request."""
        return self.cpu_seconds / self.requests * 1e6


def pairs(path: Path, least: int) -> list[tuple[Turn, Turn]]:
    """Each turn that summed with its neighbour that did not, where both had so many requests."""
    turns = [Turn(*json.loads(line)) for line in path.read_text().splitlines()]
    found = []
    for one, other in zip(turns[::2], turns[1::2], strict=False):
        if min(one.requests, other.requests) >= least:
            found.append((one, other) if one.sums else (other, one))
    return found


def together(turns: Iterable[Turn]) -> Turn:
    """Turns of one kind as one."""
    kinds, *sums = zip(*turns, strict=True)
    return Turn(kinds[0], *(sum(one) for one in sums))


class Turns:
    """In the place of `rollups.roll`; writes a line for each turn."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._roll = rollups.roll
        self._number = 0
        self._sums = True
        self._before = (0.0, 0.0, 0)

    async def __call__(self, tables: Tables, clock: Clock, pace: Pace) -> int:
        requests: int = (await tables.rows(sql.LAST, rollups.DECISIONS.name))[0][0]
        now = (time.monotonic(), time.process_time(), requests)
        if self._number:
            seconds, cpu, made = (new - old for new, old in zip(now, self._before, strict=True))
            with self._path.open("a") as file:
                file.write(json.dumps(Turn(self._sums, seconds, cpu, int(made))) + "\n")
        self._before, self._sums = now, TURNS[self._number % len(TURNS)]
        self._number += 1
        return await self._roll(tables, clock, pace) if self._sums else await skipped(tables)


async def skipped(tables: Tables) -> int:
    """Moves the marks over what is not summed, as if it were."""
    for book in rollups.BOOKS:
        last = (await tables.rows(sql.LAST, book.name))[0][0]
        marked = await tables.rows(sql.MARK, book.name)
        await tables.batch((sql.MOVE, (book.name, last, marked[0][0] if marked else 0)))
    return 0


if __name__ == "__main__":
    upkeeping.EVERY_SECONDS = EVERY_SECONDS
    vars(rollups)["roll"] = Turns(Path(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
