"""The tables' schema: made and brought forward by `penstock migrate up`, only looked at by everything else."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import asyncpg

from penstock.errors import Misconfigured
from penstock.platforms.memory.sqlite import MIGRATIONS, RECORD, VERSION
from penstock.platforms.migrations import Migration, outstanding, tables
from penstock.platforms.server import sql
from penstock.platforms.server.failures import OUT_OF_REACH
from penstock.platforms.server.line import Connection

PATIENCE_SECONDS = 5.0
MIGRATE_SECONDS = 600.0
"""The longest that one statement of a migration may take, or wait for another `migrate up`."""
OLDEST = 130_000


async def migrate(dsn: str, steps: Iterable[Migration], now: float) -> list[int]:
    """Brings the tables up to date, all or nothing and one at a time, and returns the versions it added; raises Misconfigured."""
    connection = await connect(dsn, MIGRATE_SECONDS)
    try:
        await _writable(connection)
        async with connection.transaction():
            await connection.execute(sql.LOCK)
            await connection.execute(MIGRATIONS)
            added = outstanding(steps, await connection.fetchval(VERSION))
            for step in added:
                await connection.execute(step.sql)
                await connection.execute(RECORD, step.version, step.name, int(now * 1000))
    except asyncpg.InsufficientPrivilegeError as error:
        raise Misconfigured(
            f"stores.postgres: this user may not make tables in {place(dsn)}; grant it create on the schema"
        ) from error
    except OUT_OF_REACH as error:
        raise Misconfigured(
            f"stores.postgres: {place(dsn)} ended the migration ({type(error).__name__}), nothing was changed; repeat it"
        ) from error
    finally:
        await leave(connection)
    return [step.version for step in added]


async def version(dsn: str) -> int:
    """The newest migration that the tables have had, 0 where there are none; raises Misconfigured."""
    connection = await connect(dsn)
    try:
        return await _version(connection)
    finally:
        await leave(connection)


async def check(dsn: str, steps: Iterable[Migration]) -> None:
    """That these tables can be served from as they are; raises Misconfigured with what to do."""
    connection = await connect(dsn)
    try:
        await _writable(connection)
        steps = list(steps)
        due = outstanding(steps, at := await _version(connection))
        if due:
            raise Misconfigured(
                f"stores.postgres: the tables in {place(dsn)} are at migration {at}, and this Penstock needs"
                f" {due[-1].version}; run `penstock migrate up`"
            )
        if lacking := await connection.fetchval(sql.UNWRITABLE, tables(steps)):
            raise Misconfigured(
                f"stores.postgres: this user may not write the tables {lacking} in {place(dsn)}; grant it"
                " select, insert, update and delete on all of them, also on those that a migration adds"
            )
    except OUT_OF_REACH as error:
        raise _unusable(dsn, error) from error
    finally:
        await leave(connection)


async def secret(dsn: str, fresh: bytes) -> bytes:
    """The installation's secret: this one, where none was kept before."""
    connection = await connect(dsn)
    try:
        await connection.execute(sql.KEEP_SECRET, fresh.hex())
        return bytes.fromhex(await connection.fetchval(sql.SECRET))
    except OUT_OF_REACH as error:
        raise _unusable(dsn, error) from error
    finally:
        await leave(connection)


async def connect(dsn: str, seconds: float = PATIENCE_SECONDS) -> Connection:
    """A connection of one's own; raises Misconfigured, naming the setting and the mend."""
    try:
        return await asyncpg.connect(
            dsn,
            timeout=PATIENCE_SECONDS,
            command_timeout=seconds,
            server_settings={"application_name": "penstock migrate"},
        )
    except (ValueError, asyncpg.PostgresError, *OUT_OF_REACH) as error:
        raise _unusable(dsn, error) from error


async def leave(connection: Connection) -> None:
    with suppress(*OUT_OF_REACH):
        await connection.close(timeout=PATIENCE_SECONDS)


def place(dsn: str) -> str:
    """Where an address points, without who and by what password."""
    before, _, behind = dsn.partition("://")[2].replace("#", "?").partition("?")
    if "@" in behind:
        return "the server"  # a password may stand on either side
    # One that was not written as an address asks may hold a slash or another @.
    host, slash, path = before.rpartition("@")[2].partition("/")
    return f"{host or 'the local server'}{slash}{path}"


async def _version(connection: Connection) -> int:
    if not await connection.fetchval(sql.EXISTS):
        return 0
    return int(await connection.fetchval(VERSION))


async def _writable(connection: Connection) -> None:
    if await connection.fetchval(sql.VERSION_OF_SERVER) < OLDEST:
        raise Misconfigured("stores.postgres: PostgreSQL is older than 13; upgrade it")
    if await connection.fetchval(sql.READ_ONLY):
        raise Misconfigured(
            "stores.postgres: the database is read-only; name the primary, not a replica, and a user"
            " whose default_transaction_read_only is off"
        )


def _unusable(dsn: str, error: BaseException) -> Misconfigured:
    where = place(dsn)
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
        what = f"{where} refuses the user or the password; check both"
    elif isinstance(error, asyncpg.InvalidCatalogNameError):
        what = f"{where} has no such database; make it by createdb, or name another"
    elif isinstance(error, asyncpg.TooManyConnectionsError | asyncpg.CannotConnectNowError):
        what = (
            f"{where} takes no connection now; raise max_connections, or wait until it has started"
        )
    elif isinstance(error, ValueError):
        what = "is no address of a database; write it as postgresql://user:password@host:5432/name"
    else:
        what = f"{where} cannot be reached; start it, and check the host, the port and the network"
    return Misconfigured(f"stores.postgres: {what}")
