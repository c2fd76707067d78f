"""The home of many processes: Redis or Valkey counts and caches for all of them, PostgreSQL keeps their tables."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from redis.exceptions import RedisError

from penstock.errors import Misconfigured, Unavailable
from penstock.platforms.server import schema
from penstock.platforms.server.connect import client, is_cluster
from penstock.platforms.server.meter import ServerMeter
from penstock.platforms.server.pipe import Client, Pipe
from penstock.platforms.server.tables import ServerTables

__all__ = ["open_meter", "open_tables"]

PATIENT_SECONDS = 60.0
"""What a question of the command line's may take."""


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
