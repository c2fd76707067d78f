"""Gateways on real stores: processes that share one Redis and one PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.clients.process import Penstock
from tests.stores import PostgresServer, RedisServer


class Stores:
    """A Redis and a database of their own, and the configuration that names them."""

    def __init__(self, redis: RedisServer, postgres: PostgresServer) -> None:
        self.redis = redis
        self.postgres = postgres
        self.dsn = postgres.database()
        self.name = self.dsn.rpartition("/")[2]

    def config(self, more: str = "", *, postgres: str = "", redis: str = "") -> str:
        """TOML that goes before all tables of a configuration."""
        return (
            f'platform = "server"\n[stores]\npostgres = "{postgres or self.dsn}"\n'
            f'redis = "{redis or self.redis.url}"\n{more}\n'
        )

    def rows(self, sql: str) -> list[list[str]]:
        """What psql says, in columns."""
        text = self.postgres.sql(self.name, sql)
        return [line.split("|") for line in text.splitlines()]


class Shared(Penstock):
    """A gateway on such stores, with some workers."""

    def __init__(
        self,
        home: Path,
        stores: Stores,
        config: str,
        env: Mapping[str, str] | None = None,
        workers: int = 1,
    ) -> None:
        super().__init__(home, config, env)
        self.stores = stores
        self.options = ("--workers", str(workers))

    def rows(self, sql: str, *args: Any) -> list[tuple[Any, ...]]:
        assert not args
        return [tuple(row) for row in self.stores.rows(sql)]


async def statuses(asked: list[tuple[str, dict[str, str], dict[str, Any]]]) -> list[int]:
    """The status of each chat, all sent at once: address, headers, body."""
    limits = httpx.Limits(max_connections=len(asked))
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:

        async def one(url: str, headers: dict[str, str], body: dict[str, Any]) -> int:
            reply = await client.post(f"{url}/v1/chat/completions", json=body, headers=headers)
            return reply.status_code

        return list(await asyncio.gather(*(one(*ask) for ask in asked)))
