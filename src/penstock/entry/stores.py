"""The stores of a configuration without a gateway: for the command line."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

from penstock.config import Config
from penstock.errors import Missing
from penstock.platforms.embedded import bump, open_tables
from penstock.platforms.embedded.world import RealClock
from penstock.platforms.memory.meter import MemoryMeter
from penstock.ports import Meter, Tables

SERVER_PARTS = ("asyncpg", "redis")


def tables(config: Config) -> AbstractAsyncContextManager[Tables]:
    """The tables, beside a process that serves or without one; what is written is on the disk when a batch returns."""
    if config.platform == "server":
        require_server()
        from penstock.platforms import server

        return server.open_tables(config.stores.postgres)
    return open_tables(config.data, durability="power")


@asynccontextmanager
async def marking(config: Config) -> AsyncGenerator[Meter]:
    """A meter whose marks reach whatever serves: in the shared Redis, or by a bump once the block has ended well."""
    if config.platform == "server":
        require_server()
        from penstock.platforms import server

        async with server.open_meter(config.stores.redis, greet=False) as meter:
            yield meter
    else:
        yield MemoryMeter(RealClock())
        bump(Path(config.data))


def require_server() -> None:
    """Raises Missing where the parts of the platform `server` are not installed."""
    if lacking := [part for part in SERVER_PARTS if find_spec(part) is None]:
        raise Missing(
            f"platform server needs {' and '.join(lacking)}: pip install 'penstock[server]'"
        )
