"""Sums of the ledger and of the decisions, kept up as rows come, exactly: each row is in them once or not yet.

How far a book is summed is a mark in the order of writing, not in time: a late row or a correction comes behind the mark
and goes to the hour that it tells. The mark moves in the batch that adds, from where it was read; so whoever crashes, or
comes second, has changed nothing. Reports read the rows behind the mark themselves.
"""

from __future__ import annotations

from contextlib import suppress

from msgspec import Struct

from penstock.errors import Conflict
from penstock.ledger.rollups import sql
from penstock.ports import Clock, Statement, Tables

MOVED = "rollup_marks_moved"
"""The constraint that refuses a batch which begins where the mark stands no longer."""
LONGEST_US = 900_000_000
"""What takes longer counts as this."""
LOOKS = 5
LOOK_SECONDS = 0.05
"""Between two looks at whether those who were writing are done."""


class Book(Struct, frozen=True):
    """One append-only table: how rows (`$1`, `$2`] are added to the sums, and how all sums are forgotten."""

    name: str
    stage: str
    add: tuple[str, ...]
    forget: tuple[str, ...]


LEDGER = Book(
    "ledger",
    sql.STAGE_USAGE,
    (sql.ADD_HOURS, sql.ADD_OWNERS, sql.ADD_USERS, sql.ADD_TENANTS, sql.CLEAR_USAGE),
    sql.FORGET_USAGE,
)
DECISIONS = Book(
    "decisions",
    sql.STAGE_OUTCOMES,
    (sql.ADD_OUTCOMES_HOURS, sql.ADD_OUTCOMES_DAYS, sql.CLEAR_OUTCOMES),
    sql.FORGET_OUTCOMES,
)
BOOKS = (LEDGER, DECISIONS)


class Pace(Struct, frozen=True):
    """How many rows a batch adds, how few are not worth one, and how long a pass takes at the most."""

    chunk: int
    least: int = 1
    seconds: float = 10.0


def bounds() -> tuple[int, ...]:
    """Where each bucket of latencies begins, in microseconds: 4 % above the last, as `latency_bounds` has them."""
    found = [0]
    while found[-1] < LONGEST_US:
        found.append(above(found[-1]))
    return tuple(found)


def above(low: int) -> int:
    """The bound above one."""
    return max(low + 1, low * 104 // 100)


async def roll(tables: Tables, clock: Clock, pace: Pace) -> int:
    """One pass over both books; how many batches it made. Any number of processes may do so at once."""
    end = clock.tick() + pace.seconds
    made = 0
    for book in BOOKS:
        last = await _settled(tables, clock, book)
        with suppress(Conflict):  # another process is at it
            while clock.tick() < end and await _step(tables, book, last, pace):
                made += 1
    return made


async def behind(tables: Tables) -> dict[str, int]:
    """By book, how many rows are not summed yet."""
    return {
        book.name: max(
            0, (await tables.rows(sql.LAST, book.name))[0][0] - await _mark(tables, book)
        )
        for book in BOOKS
    }


async def rebuild(tables: Tables) -> None:
    """Forgets all sums: passes make them anew, and until then reports read the books."""
    for book in BOOKS:
        await _forget(tables, book, await _mark(tables, book))


async def _step(tables: Tables, book: Book, last: int, pace: Pace) -> bool:
    """Adds the next rows, up to `last`; whether there may be more. Raises Conflict where the mark was moved meanwhile."""
    mark = await _mark(tables, book)
    if mark > last >= 0 and mark > (await tables.rows(sql.LAST, book.name))[0][0]:
        # The rows were numbered anew, as where a copy was restored row by row: nothing tells which are summed.
        await _forget(tables, book, mark)
        return True
    upto = min(last, mark + pace.chunk)
    if upto - mark < pace.least:
        return False
    add: list[Statement] = [(one, ()) for one in book.add]
    await tables.batch((sql.MOVE, (book.name, upto, mark)), (book.stage, (mark, upto)), *add)
    return upto < last


async def _forget(tables: Tables, book: Book, mark: int) -> None:
    forget: list[Statement] = [(one, ()) for one in book.forget]
    await tables.batch((sql.MOVE, (book.name, 0, mark)), *forget)


async def _mark(tables: Tables, book: Book) -> int:
    found = await tables.rows(sql.MARK, book.name)
    return found[0][0] if found else 0


async def _settled(tables: Tables, clock: Clock, book: Book) -> int:
    """The last row before which none can come any more; -1 where some that write take too long now.

    Where several write at once a row may get its number before one with a lower number can be seen. Who had got a number
    by then holds a ticket below the one that is read next: once the oldest that still writes is not below, all of them are done.
    """
    last: int = (await tables.rows(sql.LAST, book.name))[0][0]
    ticket = (await tables.rows(sql.TICKET))[0][0]
    for _ in range(LOOKS):
        if (await tables.rows(sql.OLDEST))[0][0] >= ticket:
            return last
        await clock.sleep(LOOK_SECONDS)
    return -1
