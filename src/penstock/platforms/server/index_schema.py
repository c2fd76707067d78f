"""What the server's index needs in PostgreSQL: made by `penstock migrate up`, apart from the tables, which need no extension."""

from __future__ import annotations

import asyncpg

from penstock.errors import Misconfigured
from penstock.platforms import index
from penstock.platforms.server import index_sql as sql
from penstock.platforms.server import schema
from penstock.platforms.server.failures import OUT_OF_REACH
from penstock.platforms.server.line import Connection
from penstock.platforms.server.sql import LOCK

OLDEST = (0, 5)
"""The first pgvector with HNSW."""
ITERATES = (0, 8)
"""The first whose scans go on until a filter has let enough through."""


async def prepare(dsn: str, model: str, dimension: int) -> None:
    """Makes what an index of this model needs, if it is not there: all or nothing; raises Misconfigured."""
    index.check_model(model, dimension)
    connection = await schema.connect(dsn, schema.MIGRATE_SECONDS)
    try:
        async with connection.transaction():
            await connection.execute(LOCK)
            await connection.execute(sql.TABLES)
            version = await _extension(connection) if model else (0,)
            await connection.execute(sql.CLAIM, model, dimension)
            number = await connection.fetchval(sql.NUMBER, model, dimension)
            if model:
                await connection.execute(sql.vectors_table(number, dimension))
                iterates = version >= ITERATES
                await connection.execute(sql.near_function(number, iterates=iterates))
    except asyncpg.InsufficientPrivilegeError as error:
        raise Misconfigured(
            f"stores.postgres: this user may not make the index's tables in {schema.place(dsn)}, or the extension:"
            " have a superuser run `create extension vector`, grant create on the schema, and repeat"
            " `penstock migrate up`"
        ) from error
    except OUT_OF_REACH as error:
        raise Misconfigured(
            f"stores.postgres: {schema.place(dsn)} ended what makes the index ({type(error).__name__}),"
            " nothing was changed; repeat `penstock migrate up`"
        ) from error
    finally:
        await schema.leave(connection)


async def _extension(connection: Connection) -> tuple[int, ...]:
    """The version of pgvector in this database, made there if the server has it."""
    try:
        async with connection.transaction():
            await connection.execute(sql.EXTENSION)
    except (asyncpg.FeatureNotSupportedError, asyncpg.UndefinedFileError) as error:
        raise Misconfigured(
            "stores.postgres: the server has no pgvector, by which documents are found: install it (on Debian"
            " `apt install postgresql-17-pgvector`), then run `penstock migrate up` again; all else works without it"
        ) from error
    told = str(await connection.fetchval(sql.VERSION))
    version = tuple(int(part) for part in told.split(".") if part.isdigit())
    if version < OLDEST:
        raise Misconfigured(
            f"stores.postgres: pgvector is {told}, older than 0.5: upgrade it, run `alter extension vector update`,"
            " then `penstock migrate up` again"
        )
    return version
