"""The home of many processes: Redis or Valkey counts and caches for all of them, PostgreSQL keeps their tables."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from penstock.platforms.blobs import TableBlobs
from penstock.platforms.crypto import Signatures
from penstock.platforms.migrations import shipped
from penstock.platforms.server import schema
from penstock.platforms.server.connect import client, greeted, is_cluster
from penstock.platforms.server.guarded import GuardedMeter
from penstock.platforms.server.index import ServerIndex
from penstock.platforms.server.meter import ServerMeter
from penstock.platforms.server.pipe import Client, Pipe
from penstock.platforms.server.store import ServerStore
from penstock.platforms.server.tables import CALL_SECONDS, ServerTables
from penstock.platforms.world import RandomIds, RealClock, Spawner
from penstock.ports import Fetch, Parse, Platform, Runner

__all__ = ["ServerPlatform", "check", "open_meter", "open_platform", "open_tables"]

PATIENT_SECONDS = 60.0
"""What a question of the command line's may take."""
DRAIN_SECONDS = 10.0
SECRET_BYTES = 32
BLOB_READERS = 1
"""Connections that read replies: they are read where a key is repeated, which is seldom."""


@dataclass(frozen=True, slots=True)
class ServerPlatform(Platform):
    """A Platform whose meter is told how revocations are loaded (`meter.load_marks_by`)."""

    store: ServerStore
    blobs: TableBlobs
    meter: GuardedMeter
    tables: ServerTables
    spawn: Spawner


@dataclass(frozen=True, slots=True)
class Places:
    """Where the stores are, and their bounds; `paid` are the policies whose takes need Redis whatever is configured."""

    postgres: str
    redis: str
    replicas: int = 0
    paid: frozenset[str] = frozenset()
    most_blob_bytes: int = 4 << 30
    most_cache_bytes: int = 640 << 20
    most_entry_bytes: int = 2 << 20


async def check(places: Places) -> None:
    """That both stores can be served from as they are; raises Misconfigured with the setting and the mend."""
    await schema.check(places.postgres, shipped("postgres"))
    async with _piped(client(places.redis)) as pipe:
        await greeted(pipe, places.redis)


@asynccontextmanager
async def open_platform(
    places: Places,
    *,
    fetch: Fetch,
    runner: Runner | None = None,
    parse: Parse | None = None,
    embeds: tuple[str, int] = ("", 0),
) -> AsyncGenerator[ServerPlatform]:
    """The platform of one of many processes; raises Misconfigured. It never changes the schema. `embeds` are the model and
    the dimension of the index's vectors, or none; an index that `penstock migrate up` did not make is out of reach.

    On leaving, background work gets ten seconds, then what waits is written.
    """
    await schema.check(places.postgres, shipped("postgres"))
    secret = await schema.secret(places.postgres, os.urandom(SECRET_BYTES))
    clock, spawn = RealClock(), Spawner()
    async with AsyncExitStack() as stack:
        tables = await stack.enter_async_context(open_tables(places.postgres, seconds=CALL_SECONDS))
        replies = ServerTables(places.postgres, readers=BLOB_READERS)
        stack.push_async_callback(replies.close)
        index = ServerIndex(places.postgres, *embeds)
        stack.push_async_callback(index.close)
        meter = await stack.enter_async_context(open_meter(places.redis))
        # Values go by connections of their own: a large one holds up no count.
        pipe = await stack.enter_async_context(_piped(client(places.redis)))
        stack.push_async_callback(spawn.drain, DRAIN_SECONDS)
        yield ServerPlatform(
            name="server",
            fetch=fetch,
            store=ServerStore(pipe, clock, places.most_entry_bytes, places.most_cache_bytes),
            blobs=TableBlobs(replies, clock, places.most_blob_bytes),
            meter=GuardedMeter(meter, clock, places.paid, places.replicas),
            tables=tables,
            clock=clock,
            ids=RandomIds(),
            spawn=spawn,
            crypto=Signatures(),
            runner=runner,
            parse=parse,
            index=index,
            secret=secret,
        )


@asynccontextmanager
async def open_tables(
    postgres: str, *, seconds: float = PATIENT_SECONDS
) -> AsyncGenerator[ServerTables]:
    """The tables alone, as patient as the command line is."""
    tables = ServerTables(postgres, seconds)
    try:
        yield tables
    finally:
        await tables.close()


@asynccontextmanager
async def open_meter(redis: str) -> AsyncGenerator[ServerMeter]:
    """The meter alone, in reach at the start; raises Misconfigured."""
    held: list[ServerMeter] = []

    async def connected(connection: Any) -> None:
        for meter in held:
            await meter.connected(connection)

    async with _piped(client(redis, connected)) as pipe:
        held.append(ServerMeter(pipe, os.urandom(8).hex(), cluster=is_cluster(redis)))
        await greeted(pipe, redis)
        yield held[0]


@asynccontextmanager
async def _piped(redis: Client) -> AsyncGenerator[Pipe]:
    pipe = Pipe(redis)
    try:
        yield pipe
    finally:
        await pipe.close()
        await redis.aclose()
