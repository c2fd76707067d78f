"""The embedded home with all its parts: SQLite, the upstream client, the local model where one is configured."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from penstock.auth.keys import load_marks
from penstock.config import Config
from penstock.platforms.embedded import EmbeddedPlatform, open_platform
from penstock.platforms.http import Http
from penstock.ports import Runner


@asynccontextmanager
async def opened(config: Config) -> AsyncGenerator[EmbeddedPlatform]:
    """The platform a configuration asks for, its revocations loaded; raises Misconfigured or Missing."""
    http = Http()
    try:
        async with open_platform(
            Path(config.data),
            fetch=http,
            durability=config.durability,
            cache_max_bytes=config.cache.max_bytes,
            runner=local_runner(config),
        ) as platform:
            platform.meter.load_marks_by(partial(_marks, platform))
            await _marks(platform)
            yield platform
    finally:
        await http.close()


def local_runner(config: Config) -> Runner | None:
    """The embedding model in this process, where a provider of kind `local` names one."""
    for provider in config.providers.values():
        if provider.kind == "local":
            from penstock.platforms.local import open_runner

            return open_runner(provider.path)
    return None


async def _marks(platform: EmbeddedPlatform) -> None:
    await load_marks(platform.tables, platform.meter, now=platform.clock.now())
