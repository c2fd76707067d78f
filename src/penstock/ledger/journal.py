"""Rows that may wait a second: decision records, cache hits, counts. The only rows that a crash may lose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from penstock.errors import Conflict, Error
from penstock.ledger import days, sql
from penstock.ports import Clock, Spawn, Statement, Tables

FLUSH_SECONDS = 0.5
MOST_WAITING = 50_000
GROUP = 2_000
EARLY = 256
"""Rows that are written at once: what waits long is cold when it is read again."""


class Journal:
    """Collects rows and writes them in groups within a second, off the request's path; a `held` one not before its `release`.

    When the tables are out of reach rows wait up to a bound and are then dropped, counted in `dropped`.
    """

    def __init__(self, tables: Tables, clock: Clock, spawn: Spawn, *, held: bool = False) -> None:
        self._tables = tables
        self._clock = clock
        self._spawn = spawn
        self._rows: list[Statement] = []
        self._counts: dict[tuple[int, str, bool], int] = {}
        self._flushing = held
        self.dropped = 0

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
        """Writes what a held one kept back; what comes later goes within a second."""
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
                return
            except BaseException:
                # Who asked for it left, or a row is at fault: what stands behind this group goes with the next.
                self._rows = [*rows[start + GROUP :], *self._rows]
                self._wake()
                raise

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
