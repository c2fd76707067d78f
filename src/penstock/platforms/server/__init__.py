"""The home of many processes: Redis or Valkey counts and caches for all of them, PostgreSQL keeps their tables."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from redis.exceptions import RedisError

from penstock.errors import Misconfigured, Unavailable
from penstock.platforms.crypto import Signatures
from penstock.platforms.embedded.world import RandomIds, RealClock, Spawner
from penstock.platforms.migrations import shipped
from penstock.platforms.server import schema
from penstock.platforms.server.connect import client, is_cluster
from penstock.platforms.server.guarded import GuardedMeter
from penstock.platforms.server.meter import ServerMeter
from penstock.platforms.server.pipe import Client, Pipe
from penstock.platforms.server.store import ServerStore
from penstock.platforms.server.tables import CALL_SECONDS, ServerTables
from penstock.ports import Fetch, Platform, Runner

__all__ = ["ServerPlatform", "open_meter", "open_platform", "open_tables"]

DRAIN_SECONDS = 10.0
PATIENT_SECONDS = 60.0
"""What a question of the command line's may take."""
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class ServerPlatform(Platform):
    """A Platform whose meter is told how to load revocations, and whose work can be drained."""

    store: ServerStore
    meter: GuardedMeter
    tables: ServerTables
    spawn: Spawner


@asynccontextmanager
async def open_platform(
    *,
    redis: str,
    postgres: str,
    fetch: Fetch,
    paid: frozenset[str],
    cache: str = "",
    secret: str = "",
    replicas: int = 0,
    most_value_bytes: int = 1 << 20,
    runner: Runner | None = None,
) -> AsyncGenerator[ServerPlatform]:
    """The platform on these stores, which must be in reach and up to date at the start; raises Misconfigured.

    `paid` names the rates that are refused while Redis is out of reach; others are divided among `replicas`, 0: refused
    too. On leaving, background work gets ten seconds, then what waits is written.
    """
    clock, spawn = RealClock(), Spawner()
    await schema.check(postgres, shipped())
    key = (
        sha256(secret.encode()).digest()
        if secret
        else await schema.secret(postgres, os.urandom(SECRET_BYTES))
    )
    async with AsyncExitStack() as stack:
        tables = await stack.enter_async_context(open_tables(postgres, seconds=CALL_SECONDS))
        meter = await stack.enter_async_context(open_meter(redis))
        kept = await stack.enter_async_context(_piped(client(cache or redis)))
        if cache:
            await _greeted(kept, "cache", cache)
        stack.push_async_callback(spawn.drain, DRAIN_SECONDS)
        yield ServerPlatform(
            name="server",
            fetch=fetch,
            store=ServerStore(kept, clock, most_value_bytes),
            meter=GuardedMeter(meter, clock, paid, replicas),
            tables=tables,
            clock=clock,
            ids=RandomIds(),
            spawn=spawn,
            crypto=Signatures(),
            runner=runner,
            secret=key,
        )


@asynccontextmanager
async def open_tables(
    postgres: str, *, seconds: float = PATIENT_SECONDS
) -> AsyncGenerator[ServerTables]:
    """The tables alone, for the command line."""
    tables = ServerTables(postgres, seconds)
    try:
        yield tables
    finally:
        await tables.close()


@asynccontextmanager
async def open_meter(redis: str, *, greet: bool = True) -> AsyncGenerator[ServerMeter]:
    """The meter alone, in reach at the start unless it need not be greeted; raises Misconfigured."""
    held: list[ServerMeter] = []

    async def connected(connection: Any) -> None:
        for meter in held:
            await meter.connected(connection)

    async with _piped(client(redis, connected)) as pipe:
        held.append(ServerMeter(pipe, os.urandom(8).hex(), cluster=is_cluster(redis)))
        if greet:
            await _greeted(pipe, "redis", redis)
        yield held[0]


@asynccontextmanager
async def _piped(redis: Client) -> AsyncGenerator[Pipe]:
    pipe = Pipe(redis)
    try:
        yield pipe
    finally:
        await pipe.close()
        await redis.aclose()


async def _greeted(pipe: Pipe, setting: str, url: str) -> None:
    where = schema.place(url)
    try:
        await pipe.run("GET", "penstock:greeting")
    except Unavailable as error:
        raise Misconfigured(
            f"stores.{setting}: {where} cannot be reached, or refuses the password; start it, and check"
            " the host, the port and the credentials"
        ) from error
    except RedisError as error:
        raise Misconfigured(
            f"stores.{setting}: {where} refuses this user ({type(error).__name__}); check the user, the"
            " password and what it may do"
        ) from error
