"""A service's own tables: a SQLite file in its data directory, or a PostgreSQL database."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from penstock.errors import Misconfigured, Missing
from penstock.platforms.embedded import folder
from penstock.platforms.embedded.tables import EmbeddedTables
from penstock.platforms.migrations import Migration, read
from penstock.platforms.world import RealClock
from penstock.ports import Tables


@asynccontextmanager
async def opened(name: str, data: Path, postgres: str) -> AsyncGenerator[Tables]:
    """The tables of that service, brought up to date; raises Misconfigured or Missing."""
    opening = _server(name, postgres) if postgres else _embedded(name, data)
    async with opening as tables:
        yield tables


def migrations(name: str) -> tuple[Migration, ...]:
    """The history of that service's tables."""
    return read(resources.files("penstock_services").joinpath(name, "migrations"))


@asynccontextmanager
async def _embedded(name: str, data: Path) -> AsyncGenerator[Tables]:
    path = folder.private(folder.prepare(data) / f"{name}.sqlite")
    tables = EmbeddedTables(path, migrations(name), RealClock().now(), "power")
    try:
        yield tables
    finally:
        await tables.close()


@asynccontextmanager
async def _server(name: str, postgres: str) -> AsyncGenerator[Tables]:
    if find_spec("asyncpg") is None:
        raise Missing("A PostgreSQL database needs asyncpg: pip install 'penstock[server]'")
    from penstock.platforms.server import schema
    from penstock.platforms.server.tables import ServerTables

    try:
        # A database of its own, so that these numbers are not the gateway's.
        await schema.migrate(postgres, migrations(name), RealClock().now())
    except Misconfigured as error:
        setting = f"{name.upper()}_DATABASE_URL"
        raise Misconfigured(error.message.replace("stores.postgres", setting)) from error
    tables = ServerTables(postgres)
    try:
        yield tables
    finally:
        await tables.close()
