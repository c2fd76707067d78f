"""What only PostgreSQL can do to the books: other processes write between two statements of a batch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import asyncpg
import pytest

from penstock.errors import Unavailable
from penstock.ledger import book
from penstock.ledger.book import Account, Allotment, Charged
from penstock.platforms.migrations import shipped
from penstock.platforms.server import schema
from penstock.platforms.server.tables import ServerTables
from penstock.ports import Statement
from penstock.wire.chat import Usage
from tests.stores import PostgresServer

UNITS = 1_000_000
WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"


NOTE = "insert into installation (name, value) values ($1, $2) returning name, value"


@pytest.fixture
async def dsn(postgres_server: PostgresServer) -> str:
    """A database of the newest schema."""
    made = postgres_server.database()
    await schema.migrate(made, shipped("postgres"), 0.0)
    return made


@pytest.fixture
async def tables(dsn: str) -> AsyncGenerator[ServerTables]:
    opened = ServerTables(dsn)
    yield opened
    await opened.close()


@pytest.fixture
async def other(dsn: str) -> AsyncGenerator[asyncpg.Connection]:
    """Another process."""
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


def allotted(request_id: str, units: int = UNITS) -> tuple[Statement, ...]:
    of = Account(request_id, "default/u", "default", "u", "", "auto", "chat")
    free = Allotment("workers_ai:a", "2027-01-01", units, UNITS, 11_000)
    return book.final_allotted(of, 1, "settled", 3, Charged("p", "m", "p/m"), Usage(1), free)


async def waited_for(dsn: str, doing: asyncio.Future[Any]) -> None:
    """Until it waits for a lock, or is done."""
    watcher = await asyncpg.connect(dsn)
    try:
        async with asyncio.timeout(30):
            while not doing.done() and not await watcher.fetchval(WAITING):
                continue
    finally:
        await watcher.close()


async def test_two_processes_do_not_take_the_same_free_units(
    dsn: str, tables: ServerTables, other: asyncpg.Connection
) -> None:
    await tables.batch(allotted("req_0", units=0)[0])
    begun = other.transaction()
    await begun.start()
    opened, final, use = allotted("req_a")
    await other.execute(opened[0], *opened[1])
    first = await other.fetchval(final[0], *final[1])
    settling = asyncio.ensure_future(tables.batch(*allotted("req_b")))
    await waited_for(dsn, settling)
    await other.execute(use[0], *use[1])
    await begun.commit()
    results = await settling
    assert (first, results[1][0][0]) == (0, 11_000)


async def test_a_database_that_was_read_only_is_written_again(
    dsn: str, tables: ServerTables, postgres_server: PostgresServer
) -> None:
    """A session keeps what it began with: those begun meanwhile are left."""
    name = dsn.rpartition("/")[2]
    postgres_server.sql("postgres", f"alter database {name} set default_transaction_read_only = on")
    for note in [(NOTE, ("a", "1")), (NOTE, ("b", "1"))]:
        with pytest.raises(Unavailable):
            await tables.batch(note, note)
        assert await tables.rows("select count(*) from installation") == [(0,)]
    postgres_server.sql("postgres", f"alter database {name} reset default_transaction_read_only")
    async with asyncio.timeout(30):
        while True:
            try:
                await tables.batch((NOTE, ("a", "1")))
            except Unavailable:
                await asyncio.sleep(0)
            else:
                break


async def test_a_schema_that_changes_under_a_prepared_batch_fails_nothing(
    dsn: str, tables: ServerTables, postgres_server: PostgresServer
) -> None:
    await tables.batch((NOTE, ("a", "1")), (NOTE, ("b", "1")))
    postgres_server.sql(
        dsn.rpartition("/")[2], "alter table installation alter column value type varchar(200)"
    )
    found = await tables.batch((NOTE, ("c", "1")), (NOTE, ("d", "1")))
    assert found == [[("c", "1")], [("d", "1")]]
