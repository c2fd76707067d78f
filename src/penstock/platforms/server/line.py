"""One connection to PostgreSQL and the task that owns it: callers hand it jobs, and never touch the driver themselves.

A cancelled query would have the driver open a second connection to cancel it, which hangs where the server is frozen. So
nothing here is cancelled: a query that outlasts its time loses its connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import asyncpg

from penstock.errors import Unavailable
from penstock.platforms.server.failures import OUT_OF_REACH, translate, unavailable, unheard
from penstock.ports import Statement

CONNECT_SECONDS = 1.0
RUN_SECONDS = 1.5
"""The longest that one group of jobs may take before its connection is given up; the server's own limit is sooner."""
STATEMENT_MILLISECONDS = 1_200
LOCK_MILLISECONDS = 500
AWAY_SECONDS = 0.25
"""After a failure nothing is asked for so long: refusals then are quick."""
MOST_PREPARED = 256

Connection = Any
"""asyncpg has no types of its own."""


class Job:
    """Statements and what will become of them; `begun` once their commit, which may succeed unheard, was sent."""

    __slots__ = ("begun", "done", "statements", "until")

    def __init__(self, statements: Sequence[Statement], until: float) -> None:
        self.statements = statements
        self.until = until
        self.begun = False
        self.done: asyncio.Future[list[list[tuple[Any, ...]]]] = (
            asyncio.get_running_loop().create_future()
        )

    def answer(self, outcome: list[list[tuple[Any, ...]]] | Exception) -> None:
        if self.done.done():
            return
        if self.begun and isinstance(outcome, Unavailable):
            outcome = unheard()
        if isinstance(outcome, Exception):
            self.done.set_exception(outcome)
        else:
            self.done.set_result(outcome)


Run = Callable[[Connection, Sequence[Job]], Awaitable[None]]
"""Does the jobs and answers each; raises what a lost connection raises, with some perhaps not answered."""


class Door:
    """Where the server is, and whether it was out of reach a moment ago: known to all lines that lead there."""

    def __init__(self, dsn: str, seconds: float = RUN_SECONDS) -> None:
        self.seconds = seconds
        self._dsn = dsn
        self._away_until = 0.0

    @property
    def shut(self) -> bool:
        return asyncio.get_running_loop().time() < self._away_until

    def failed(self) -> None:
        self._away_until = asyncio.get_running_loop().time() + AWAY_SECONDS

    async def connect(self, seconds: float = CONNECT_SECONDS) -> Connection:
        """A new connection, whose statements the server itself ends in time."""
        longest = STATEMENT_MILLISECONDS + int((self.seconds - RUN_SECONDS) * 1000)
        return await asyncpg.connect(
            self._dsn,
            timeout=seconds,
            statement_cache_size=MOST_PREPARED,
            max_cached_statement_lifetime=0,
            server_settings={
                "application_name": "penstock",
                "statement_timeout": str(longest),
                "lock_timeout": str(LOCK_MILLISECONDS),
                "idle_in_transaction_session_timeout": str(longest),
            },
        )


class Line:
    """A worker that does what waits in a queue it may share with others, `most` jobs at once."""

    def __init__(self, door: Door, queue: asyncio.Queue[Job], run: Run, most: int) -> None:
        self._door = door
        self._queue = queue
        self._run = run
        self._most = most
        self._connection: Connection = None
        self._jobs: Sequence[Job] = ()
        self._task = asyncio.get_running_loop().create_task(self._work())

    async def close(self, *, seconds: float) -> None:
        """Ends once the queue is empty, at most after so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._queue.join()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            with suppress(*OUT_OF_REACH):
                await connection.close(timeout=CONNECT_SECONDS)

    async def _work(self) -> None:
        while True:
            jobs = [await self._queue.get()]
            while len(jobs) < self._most and not self._queue.empty():
                jobs.append(self._queue.get_nowait())
            try:
                await self._do(jobs)
            finally:
                for job in jobs:
                    job.answer(unavailable())
                    self._queue.task_done()

    async def _do(self, jobs: Sequence[Job]) -> None:
        """All of it, once more on a new connection where the first was lost before anything can have been done."""
        read_only = False
        for _ in range(2):
            now = asyncio.get_running_loop().time()
            waiting = [job for job in jobs if not job.done.done() and job.until > now]
            if not waiting:
                return
            try:
                await self._once(waiting)
                return
            except Exception as error:  # noqa: BLE001 - the line outlives whatever happens on it
                read_only = isinstance(error, asyncpg.ReadOnlySQLTransactionError)
                for job in waiting:
                    if job.begun or not isinstance(error, OUT_OF_REACH):
                        job.answer(translate(error))
        if not read_only:  # which answers: what only reads goes on
            self._refuse_all()

    async def _once(self, jobs: Sequence[Job]) -> None:
        loop = asyncio.get_running_loop()
        if self._connection is None or self._connection.is_closed():
            try:
                self._connection = await self._door.connect()
            except OUT_OF_REACH:
                self._refuse_all()
                for job in jobs:
                    job.answer(unavailable())
                raise
        connection, self._jobs = self._connection, jobs
        late = loop.call_later(self._door.seconds, self._give_up, connection)
        try:
            await self._run(connection, jobs)
        except BaseException:
            # What state it is in nobody knows.
            self._connection = None
            connection.terminate()
            raise
        finally:
            late.cancel()

    def _give_up(self, connection: Connection) -> None:
        """The server does not answer: what was sent is lost, and what waits need not wait as long again."""
        for job in self._jobs:
            job.answer(unavailable())
        connection.terminate()
        self._refuse_all()

    def _refuse_all(self) -> None:
        self._door.failed()
        for _ in range(self._queue.qsize()):
            job = self._queue.get_nowait()
            job.answer(unavailable())
            self._queue.task_done()


def submit(
    door: Door, queue: asyncio.Queue[Job], statements: Sequence[Statement], seconds: float
) -> Job:
    """A job in the queue; raises Unavailable where too many wait, or the server was out of reach a moment ago."""
    if door.shut:
        raise unavailable()
    job = Job(statements, asyncio.get_running_loop().time() + seconds)
    try:
        queue.put_nowait(job)
    except asyncio.QueueFull:
        raise Unavailable("Too much waits for the tables: try again.") from None
    return job
