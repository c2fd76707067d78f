"""The server home's part of `homes.py`: its factories take the stores that a session started."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from penstock.platforms.blobs import TableBlobs
from penstock.platforms.memory.world import FakeClock
from penstock.platforms.migrations import shipped
from penstock.platforms.server import index_schema, schema
from penstock.platforms.server.connect import client
from penstock.platforms.server.index import ServerIndex
from penstock.platforms.server.meter import ServerMeter
from penstock.platforms.server.pipe import Pipe
from penstock.platforms.server.store import ServerStore
from penstock.platforms.server.tables import ServerTables
from penstock.ports import Blobs, Index, Meter, Store, Tables
from tests.contract.homes import THINGS, Beside
from tests.stores import PostgresServer, RedisServer

PATIENCE_SECONDS = 30.0
"""Deadlines have tests of their own; these are about what is decided, on a busy machine too."""


@asynccontextmanager
async def piped(server: RedisServer) -> AsyncGenerator[Pipe]:
    """A pipe to an emptied Redis."""
    server.ask("FLUSHALL")
    redis = client(server.url, seconds=PATIENCE_SECONDS)
    pipe = Pipe(redis, PATIENCE_SECONDS)
    try:
        yield pipe
    finally:
        await pipe.close()
        await redis.aclose()


@asynccontextmanager
async def meter(server: RedisServer, clock: FakeClock) -> AsyncGenerator[Meter]:
    """Counts in Redis by a clock that tests own, as whole microseconds: 0.1 s is no float there."""
    start = round(clock.now()) * 1_000_000

    def now() -> int:
        return start + int(clock.tick() * 1e6 + 0.5)

    async with piped(server) as pipe:
        yield ServerMeter(pipe, "test", cluster=server.cluster, now=now)


@asynccontextmanager
async def store(server: RedisServer, clock: FakeClock, most: int) -> AsyncGenerator[Store]:
    async with piped(server) as pipe:
        yield ServerStore(pipe, clock, most, 1 << 30)


@asynccontextmanager
async def blobs(server: PostgresServer, clock: FakeClock, most: int) -> AsyncGenerator[Blobs]:
    dsn = server.database()
    await schema.migrate(dsn, shipped("postgres"), 0.0)
    tables = ServerTables(dsn)
    try:
        yield TableBlobs(tables, clock, most)
    finally:
        await tables.close()


@asynccontextmanager
async def tables(server: PostgresServer) -> AsyncGenerator[Tables]:
    dsn = server.database()
    await schema.migrate(dsn, THINGS, 0.0)
    tables = ServerTables(dsn)
    try:
        yield tables
    finally:
        await tables.close()


@asynccontextmanager
async def index(server: PostgresServer, model: str, dimension: int) -> AsyncGenerator[Index]:
    async with beside(server) as opened:
        yield await opened(model, dimension)


@asynccontextmanager
async def beside(server: PostgresServer) -> AsyncGenerator[Beside]:
    """Opens indexes in one database."""
    dsn = server.database()
    async with AsyncExitStack() as stack:

        async def opened(model: str, dimension: int) -> Index:
            await index_schema.prepare(dsn, model, dimension)
            index = ServerIndex(dsn, model, dimension)
            stack.push_async_callback(index.close)
            return index

        yield opened


METERS: dict[str, str] = {"server": "redis_server", "server, cluster": "redis_cluster"}
STORES: dict[str, str] = METERS
TABLES: dict[str, str] = {"server": "postgres_server"}
BLOBS: dict[str, str] = TABLES
INDEXES: dict[str, str] = {"server": "vector_server"}
"""The home's name, and the fixture that has its store."""
