"""Rows that may wait a second: decision records, cache hits, counts. The only rows that a crash may lose."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from penstock.errors import Conflict, Error
from penstock.ledger import days, sql
from penstock.ports import Clock, Spawn, Statement, Tables

LOG = logging.getLogger(__name__)

FLUSH_SECONDS = 0.5
AGAIN_SECONDS = (1.0, 4.0, 15.0)
"""Between the tries of one whose request is over: a Worker lives 30 s longer."""
MOST_WAITING = 50_000
GROUP = 2_000
EARLY = 256
"""Rows that are written at once: what waits long is cold when it is read again."""


class Journal:
    """Collects rows and writes them in groups within a second, off the request's path.

    When the tables are out of reach rows wait up to a bound and are then dropped, counted in `dropped`. With `lost` they are
    those of one request, after which nobody comes: they wait for its `release`, are tried again for a while, and it is told
    how many are lost.
    """

    def __init__(
        self, tables: Tables, clock: Clock, spawn: Spawn, lost: Callable[[int], None] | None = None
    ) -> None:
        self._tables = tables
        self._clock = clock
        self._spawn = spawn
        self._rows: list[Statement] = []
        self._counts: dict[tuple[int, str, bool], int] = {}
        self._flushing = lost is not None
        self._lost = lost
        self._again = False
        self.dropped = 0

    @property
    def waiting(self) -> int:
        """Rows that are not written yet."""
        return len(self._rows)

    def add(self, row: Statement) -> None:
        """One row, written within a second."""
        if len(self._rows) >= MOST_WAITING:
            self.dropped += 1
            return
        self._rows.append(row)
        self._wake()
        if len(self._rows) == EARLY:
            self._spawn(self.flush())

    def count(self, at: int, kind: str, *, hit: bool, number: int = 1) -> None:
        """So many hits or misses of a kind of cache, at a time in milliseconds."""
        key = (at // days.DAY_MS, kind, hit)
        self._counts[key] = self._counts.get(key, 0) + number
        self._wake()

    async def release(self) -> None:
        """Its request has its reply: writes what waited for that, and what comes later within a second."""
        self._flushing = False
        await self.flush()

    async def flush(self) -> None:
        """Writes all that waits, now."""
        rows, self._rows = self._rows, []
        counts, self._counts = self._counts, {}
        rows.extend(_counted(counts))
        # Like statements together, so that a platform can run them as one.
        rows.sort(key=lambda statement: statement[0])
        for start in range(0, len(rows), GROUP):
            try:
                await self._write(rows[start : start + GROUP])
            except Error:
                kept = rows[start:][: MOST_WAITING - len(self._rows)]
                self.dropped += len(rows) - start - len(kept)
                self._rows = [*kept, *self._rows]
                if self._lost is not None and not self._again:
                    self._again = True
                    self._spawn(self._try_again(self._lost))
                return
            except BaseException:
                # Who asked for it left, or a row is at fault: what stands behind this group goes with the next.
                self._rows = [*rows[start + GROUP :], *self._rows]
                self._wake()
                raise

    async def _try_again(self, lost: Callable[[int], None]) -> None:
        for seconds in AGAIN_SECONDS:
            await self._clock.sleep(seconds)
            await self.flush()
            if not self._rows:
                break
        self._again = False
        if self._rows:
            LOG.error(
                "The tables are out of reach: %d rows of the journal are lost.", len(self._rows)
            )
            lost(len(self._rows))
            self._rows = []

    async def _write(self, group: Sequence[Statement]) -> None:
        try:
            await self._tables.batch(*group)
        except Conflict:
            # Some stand already, of a batch whose reply was lost: they must not hold up the others.
            for row in group:
                with suppress(Conflict):
                    await self._tables.batch(row)

    def _wake(self) -> None:
        if not self._flushing:
            self._flushing = True
            self._spawn(self._flush_soon())

    async def _flush_soon(self) -> None:
        try:
            await self._clock.sleep(FLUSH_SECONDS)
        finally:
            self._flushing = False
            await self.flush()


def _counted(counts: Mapping[tuple[int, str, bool], int]) -> list[Statement]:
    totals: dict[tuple[str, str], list[int]] = {}
    for (day, kind, hit), number in counts.items():
        totals.setdefault((days.day(day * days.DAY_MS), kind), [0, 0])[0 if hit else 1] += number
    return [(sql.COUNT_CACHE, (day, kind, *both)) for (day, kind), both in totals.items()]
