"""Tables in PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from penstock.errors import Unavailable
from penstock.platforms.server.failures import unheard
from penstock.platforms.server.group import read, run_group
from penstock.platforms.server.line import RUN_SECONDS, Door, Job, Line, submit
from penstock.ports import Row, Statement, Value

CALL_SECONDS = 2.0
"""A call is answered, done or refused within this."""
MOST_WAITING = 10_000
MOST_IN_GROUP = 64
READERS = 3
CLOSE_SECONDS = 2.0


class ServerTables:
    """One connection that writes, with group commit and in order, and a few that read: bounded, whatever comes.

    What `batch` returned is durable as the server's `synchronous_commit` says. One whose commit was sent and not answered
    raises Unheard, and is not sent again: it may have been written. `seconds` is for questions that may take longer, as of a command line.
    """

    def __init__(self, dsn: str, seconds: float = CALL_SECONDS, *, readers: int = READERS) -> None:
        self._seconds = seconds
        self._door = Door(dsn, seconds - CALL_SECONDS + RUN_SECONDS)
        self._writes: asyncio.Queue[Job] = asyncio.Queue(MOST_WAITING)
        self._reads: asyncio.Queue[Job] = asyncio.Queue(MOST_WAITING)
        self._lines = [Line(self._door, self._writes, run_group, MOST_IN_GROUP)]
        self._lines += [Line(self._door, self._reads, read, 1) for _ in range(readers)]
        self._closed = False

    async def rows(self, sql: str, *args: Value) -> Sequence[Row]:
        [rows] = await self._ask(self._reads, ((sql, args),))
        return rows

    async def batch(self, *statements: Statement) -> Sequence[Sequence[Row]]:
        if not statements:
            return []
        return await self._ask(self._writes, statements)

    async def close(self) -> None:
        """Writes what waits, and leaves."""
        self._closed = True
        await asyncio.gather(*(line.close(seconds=CLOSE_SECONDS) for line in self._lines))

    async def _ask(
        self, queue: asyncio.Queue[Job], statements: Sequence[Statement]
    ) -> list[list[Row]]:
        if self._closed:
            raise Unavailable("The tables take no more now.")
        job = submit(self._door, queue, statements, self._seconds)
        try:
            async with asyncio.timeout(self._seconds):
                return await job.done
        except TimeoutError:
            raise unheard() from None
