"""The home a configuration asks for with all its parts: its stores, the upstream client, the local model where one is configured."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.auth.keys import is_revoked, load_marks
from penstock.config import Config
from penstock.entry.stores import require_server
from penstock.limits.rates import AI_ENDPOINTS, TIER, TOKENS
from penstock.platforms import embedded
from penstock.platforms.http import Http
from penstock.ports import Fetch, Meter, Platform, Runner

if TYPE_CHECKING:
    from penstock.platforms.local import LocalRunner

PAID = AI_ENDPOINTS | {TIER, TOKENS}
"""Rates of what costs money: never admitted by anything but the shared count."""


@asynccontextmanager
async def opened(config: Config) -> AsyncGenerator[Platform]:
    """The platform a configuration asks for, its revocations loaded; raises Misconfigured or Missing."""
    async with AsyncExitStack() as stack:
        http = Http()
        stack.push_async_callback(http.close)
        runner = local_runner(config)
        if runner is not None:
            stack.push_async_callback(runner.aclose)
        home = _server if config.platform == "server" else _embedded
        yield await stack.enter_async_context(home(config, http, runner))


@asynccontextmanager
async def _embedded(
    config: Config, fetch: Fetch, runner: Runner | None
) -> AsyncGenerator[Platform]:
    home = embedded.open_platform(
        Path(config.data),
        fetch=fetch,
        durability=config.durability,
        cache_max_bytes=config.cache.max_bytes,
        runner=runner,
    )
    async with home as platform:
        platform.meter.load_marks_by(partial(_marks, platform, platform.meter))
        await _marks(platform, platform.meter)
        yield platform


@asynccontextmanager
async def _server(config: Config, fetch: Fetch, runner: Runner | None) -> AsyncGenerator[Platform]:
    require_server()
    from penstock.platforms import server

    stores = config.stores
    home = server.open_platform(
        redis=stores.redis,
        cache=stores.cache,
        postgres=stores.postgres,
        secret=stores.secret,
        fetch=fetch,
        paid=PAID,
        replicas=stores.replicas if stores.fallback == "divide" else 0,
        most_value_bytes=2 * config.cache.max_entry_bytes,
        runner=runner,
    )
    async with home as platform:

        async def revoked(credential: str) -> bool:
            return await is_revoked(platform.tables, credential, now=platform.clock.now())

        platform.meter.load_marks_by(partial(_marks, platform, platform.meter), revoked)
        yield platform


def local_runner(config: Config) -> LocalRunner | None:
    """The embedding model in this process, where a provider of kind `local` names one."""
    for name, provider in config.providers.items():
        if provider.kind == "local":
            from penstock.platforms.local import open_runner

            dimensions = [target.dimension for target in config.targets if target.provider == name]
            return open_runner(provider.path, dimension=max(dimensions, default=0))
    return None


async def _marks(platform: Platform, meter: Meter) -> None:
    await load_marks(platform.tables, meter, now=platform.clock.now())
