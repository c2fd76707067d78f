"""The embedded home with all its parts: SQLite, the upstream client, the local model where one is configured."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.auth.keys import load_marks
from penstock.config import Config
from penstock.platforms.embedded import EmbeddedPlatform, open_platform
from penstock.platforms.http import Http

if TYPE_CHECKING:
    from penstock.platforms.local import LocalRunner


@asynccontextmanager
async def opened(config: Config) -> AsyncGenerator[EmbeddedPlatform]:
    """The platform a configuration asks for, its revocations loaded; raises Misconfigured or Missing."""
    async with AsyncExitStack() as stack:
        http = Http()
        stack.push_async_callback(http.close)
        runner = local_runner(config)
        if runner is not None:
            stack.push_async_callback(runner.aclose)
        platform = await stack.enter_async_context(
            open_platform(
                Path(config.data),
                fetch=http,
                durability=config.durability,
                cache_max_bytes=config.cache.max_bytes,
                runner=runner,
            )
        )
        platform.meter.load_marks_by(partial(_marks, platform))
        await _marks(platform)
        yield platform


def local_runner(config: Config) -> LocalRunner | None:
    """The embedding model in this process, where a provider of kind `local` names one."""
    for name, provider in config.providers.items():
        if provider.kind == "local":
            from penstock.platforms.local import open_runner

            dimensions = [target.dimension for target in config.targets if target.provider == name]
            return open_runner(provider.path, dimension=max(dimensions, default=0))
    return None


async def _marks(platform: EmbeddedPlatform) -> None:
    await load_marks(platform.tables, platform.meter, now=platform.clock.now())
