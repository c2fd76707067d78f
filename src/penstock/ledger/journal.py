"""Rows that may wait a second: decision records, cache hits, counts. The only rows that a crash may lose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from penstock.errors import Error
from penstock.ledger import sql
from penstock.ports import Clock, Spawn, Statement, Tables

Row = Callable[[], Statement]
FLUSH_SECONDS = 0.5
MOST_WAITING = 50_000
GROUP = 2_000


class Journal:
    """Collects rows and writes them in groups within a second, off the request's path.

    When the tables are out of reach rows wait up to a bound and are then dropped, counted in `dropped`.
    """

    def __init__(self, tables: Tables, clock: Clock, spawn: Spawn) -> None:
        self._tables = tables
        self._clock = clock
        self._spawn = spawn
        self._rows: list[Statement | Row] = []
        self._counts: Counter[tuple[str, str, int]] = Counter()
        self._flushing = False
        self.dropped = 0

    def add(self, row: Statement | Row) -> None:
        """One row, or what builds it, written within a second: built then, off the request's path."""
        if len(self._rows) >= MOST_WAITING:
            self.dropped += 1
            return
        self._rows.append(row)
        self._wake()

    def count(self, day: str, kind: str, *, hit: bool, number: int = 1) -> None:
        """So many hits or misses of a kind of cache."""
        self._counts[day, kind, hit] += number
        self._wake()

    async def flush(self) -> None:
        """Writes all that waits, now."""
        waiting, self._rows = self._rows, []
        rows = [row if isinstance(row, tuple) else row() for row in waiting]
        counts, self._counts = self._counts, Counter()
        rows.extend(_counted(counts))
        # Like statements together, so that a platform can run them as one.
        rows.sort(key=lambda statement: statement[0])
        for start in range(0, len(rows), GROUP):
            try:
                await self._tables.batch(*rows[start : start + GROUP])
            except Error:
                kept = rows[start:][: MOST_WAITING - len(self._rows)]
                self.dropped += len(rows) - start - len(kept)
                self._rows = [*kept, *self._rows]
                return

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


def _counted(counts: Counter[tuple[str, str, int]]) -> list[Statement]:
    totals: dict[tuple[str, str], list[int]] = {}
    for (day, kind, hit), number in counts.items():
        totals.setdefault((day, kind), [0, 0])[0 if hit else 1] += number
    return [(sql.COUNT_CACHE, (day, kind, *both)) for (day, kind), both in totals.items()]
