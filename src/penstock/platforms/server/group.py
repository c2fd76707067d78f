"""Group commit: many batches in one transaction, each still all or nothing by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from penstock.platforms.memory.sqlite import plain_insert
from penstock.platforms.server.failures import ROLLED_BACK, is_lost, translate
from penstock.platforms.server.line import Connection, Job
from penstock.platforms.server.sql import BEGIN_GROUP
from penstock.ports import Statement, Value

MOST_TRIES = 3
"""Of a batch that the server undid to let another pass."""

Rows = list[tuple[Any, ...]]


async def run_group(connection: Connection, jobs: Sequence[Job]) -> None:
    """Answers each job; raises where the connection is lost.

    A group is run as if all went well. Where something fails it is undone, and each batch is run alone.
    """
    if len(jobs) > 1:
        try:
            outcomes = await _together(connection, jobs)
        except Exception as error:  # noqa: BLE001 - each alone will say which of them failed
            await _undo(connection, error)
        else:
            for job, outcome in zip(jobs, outcomes, strict=True):
                job.answer(outcome)
            return
    for job in jobs:
        if not job.done.done():
            await _alone(connection, job)


async def read(connection: Connection, jobs: Sequence[Job]) -> None:
    """Answers a question that writes nothing."""
    for job in jobs:
        try:
            job.answer([await _fetch(connection, *statement) for statement in job.statements])
        except Exception as error:
            if is_lost(connection, error):
                raise
            job.answer(translate(error))


async def _together(connection: Connection, jobs: Sequence[Job]) -> list[list[Rows]]:
    """Batches that only add rows at once, their rows by statement; the others one by one."""
    await connection.execute(BEGIN_GROUP)
    outcomes: list[list[Rows]] = []
    rows: dict[str, list[tuple[Value, ...]]] = {}
    for job in jobs:
        if all(plain_insert(sql) for sql, _ in job.statements):
            for sql, args in job.statements:
                rows.setdefault(sql, []).append(args)
            outcomes.append([[] for _ in job.statements])
        else:
            outcomes.append(await _run(connection, job.statements))
    for sql, some in rows.items():
        await connection.executemany(sql, some)
    for job in jobs:
        job.begun = True
    await connection.execute("commit")
    return outcomes


async def _alone(connection: Connection, job: Job) -> None:
    for attempt in range(1, MOST_TRIES + 1):
        try:
            job.answer(await _transaction(connection, job))
        except Exception as error:  # noqa: BLE001 - it is its caller's to hear of
            await _undo(connection, error)
            if attempt == MOST_TRIES or not isinstance(error, ROLLED_BACK):
                job.answer(translate(error))
                return
        else:
            return


async def _transaction(connection: Connection, job: Job) -> list[Rows]:
    """A single statement is a transaction by itself, and saves two round trips."""
    statements = job.statements
    if len(statements) == 1:
        job.begun = True
        return await _run(connection, statements)
    await connection.execute("begin")
    outcome = await _run(connection, statements)
    job.begun = True
    await connection.execute("commit")
    return outcome


async def _undo(connection: Connection, error: Exception) -> None:
    """Ends the failed transaction; raises the error again where the connection went with it."""
    if is_lost(connection, error):
        raise error
    if connection.is_in_transaction():
        await connection.execute("rollback")


async def _run(connection: Connection, statements: Sequence[Statement]) -> list[Rows]:
    """The rows of each statement, like inserts in a row as one."""
    results: list[Rows] = []
    place, end = 0, len(statements)
    while place < end:
        sql = statements[place][0]
        after = place + 1
        while after < end and statements[after][0] == sql:
            after += 1
        if after - place > 1 and plain_insert(sql):
            await connection.executemany(sql, [args for _, args in statements[place:after]])
            results += ([] for _ in range(place, after))
        else:
            for _, args in statements[place:after]:
                results.append(await _fetch(connection, sql, args))
        place = after
    return results


async def _fetch(connection: Connection, sql: str, args: Sequence[Value]) -> Rows:
    return [tuple(row) for row in await connection.fetch(sql, *args)]
