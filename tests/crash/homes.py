"""Where a gateway keeps its state: a new place for each run, that outlives its processes."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Protocol

from penstock.platforms import embedded
from penstock.platforms.migrations import shipped
from penstock.ports import Tables
from tests.stores import PostgresServer, RedisServer


class Place(Protocol):
    """One installation: its lines of the configuration, and its tables beside the gateway."""

    folder: Path
    config: str

    def tables(self) -> AbstractAsyncContextManager[Tables]: ...


class Home(Protocol):
    """Makes places."""

    name: str

    async def place(self) -> Place: ...


class SqlitePlace:
    """A data directory."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.config = f'data = "{folder / "data"}"'

    def tables(self) -> AbstractAsyncContextManager[Tables]:
        return embedded.open_tables(self.folder / "data")


class Sqlite:
    """The embedded home."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()

    async def place(self) -> Place:
        return SqlitePlace(self._folder / f"sqlite-{next(self._numbers)}")


class PostgresPlace:
    """A database, and a Redis that is emptied for it."""

    def __init__(self, folder: Path, postgres: str, redis: str) -> None:
        folder.mkdir()
        self.folder = folder
        self._postgres = postgres
        self.config = f"""
platform = "server"
data = "{folder / "data"}"
[stores]
postgres = "{postgres}"
redis = "{redis}"
"""

    @asynccontextmanager
    async def tables(self) -> AsyncGenerator[Tables]:
        from penstock.platforms import server

        async with server.open_tables(self._postgres) as tables:
            yield tables


class Postgres:
    """The server home; a place's database is a copy of one that was migrated."""

    name = "postgres"

    def __init__(self, folder: Path, postgres: PostgresServer, redis: RedisServer) -> None:
        self._folder = folder
        self._postgres = postgres
        self._redis = redis
        self._numbers = itertools.count()
        self._model = ""
        self._name = "crash"

    async def place(self) -> Place:
        number = next(self._numbers)
        if not self._model:
            self._model = await self._migrated()
        self._redis.ask("FLUSHALL")
        # The one before is done with: hundreds of them would fill the disk.
        self._postgres.sql("postgres", f"drop database if exists {self._name} with (force)")
        self._name = f"crash{number}"
        self._postgres.sql("postgres", f"create database {self._name} template {self._model}")
        folder = self._folder / f"postgres-{number}"
        return PostgresPlace(folder, self._postgres.url(self._name), self._redis.url)

    async def _migrated(self) -> str:
        from penstock.platforms.server import schema

        url = self._postgres.database()
        await schema.migrate(url, shipped("postgres"), time.time())
        return url.rpartition("/")[2]


@contextmanager
def opened(name: str, folder: Path) -> Iterator[Home]:
    """A home by its name, with stores of its own where it needs them."""
    if name == Sqlite.name:
        yield Sqlite(folder)
        return
    (folder / "pg").mkdir()
    (folder / "redis").mkdir()
    with PostgresServer(folder / "pg") as postgres, RedisServer(folder / "redis") as redis:
        yield Postgres(folder, postgres, redis)
