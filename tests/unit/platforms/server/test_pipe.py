"""The pipe to Redis outlives what happens to it: an end nobody can reach, a master that becomes a replica."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from penstock.errors import Misconfigured, Unavailable
from penstock.platforms.server.connect import client, greeted
from penstock.platforms.server.pipe import Pipe
from tests.clients.slow import Slow
from tests.stores import RedisServer, free_port

SECONDS = 30


@asynccontextmanager
async def piped(url: str) -> AsyncGenerator[Pipe]:
    redis = client(url)
    pipe = Pipe(redis)
    try:
        yield pipe
    finally:
        await pipe.close()
        await redis.aclose()


async def test_a_cluster_out_of_reach_from_the_start_refuses_each_command() -> None:
    url = f"redis+cluster://127.0.0.1:{free_port()}"
    async with piped(url) as pipe, asyncio.timeout(SECONDS):
        with pytest.raises(Misconfigured, match="cannot be reached"):
            await greeted(pipe, url)
        for _ in range(3):
            with pytest.raises(Unavailable):
                await pipe.run("GET", "a")


async def test_an_address_that_leads_to_a_new_master_is_followed(tmp_path: Path) -> None:
    """The old one still answers on the connections it has, as a replica."""
    homes = [tmp_path / "old", tmp_path / "new"]
    for home in homes:
        home.mkdir()
    with RedisServer(homes[0]) as old, RedisServer(homes[1]) as new, Slow(old.port) as address:
        async with piped(f"redis://127.0.0.1:{address.port}") as pipe, asyncio.timeout(SECONDS):
            assert await pipe.run("SET", "a", "1")
            assert old.ask(f"REPLICAOF 127.0.0.1 {new.port}").startswith("+OK")
            address.to = new.port
            with pytest.raises(Unavailable):
                await pipe.run("SET", "a", "2")
            while True:
                try:
                    assert await pipe.run("SET", "a", "3")
                except Unavailable:
                    await asyncio.sleep(0)
                else:
                    break
