"""The home that a configuration asks for, with all its parts: its stores, the upstream client, the local model."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import AsyncGenerator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    nullcontext,
)
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.auth import keys
from penstock.config import Config
from penstock.config.embedder import embedder
from penstock.entry.inside import with_services
from penstock.errors import Misconfigured, Missing
from penstock.limits.rates import AI_ENDPOINTS, TIER
from penstock.platforms import assets, embedded
from penstock.platforms.http import Http
from penstock.platforms.mail import SmtpMail
from penstock.platforms.memory.meter import MemoryMeter
from penstock.platforms.parse.process import ProcessParse
from penstock.platforms.pdf import printer, usable
from penstock.platforms.world import RealClock
from penstock.ports import Fetch, Meter, Parse, Platform, Print, Tables, Traces

if TYPE_CHECKING:
    from penstock.platforms.local import LocalRunner
    from penstock.platforms.server import Places

SENDERS = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
DISK_SHARE = 10
"""What lies behind the memory of a cache is this many times as large."""
ENTRY_SLACK = 2
"""A kept answer's bytes beside those of its text."""


@asynccontextmanager
async def opened(config: Config, *, beside: bool = False) -> AsyncGenerator[Platform]:
    """The platform a configuration asks for, its revocations known; raises Misconfigured or Missing.

    `beside` one that serves, it is for a command: with what is kept, and counts of its own.
    """
    _served_here(config)
    async with AsyncExitStack() as stack:
        http = Http()
        stack.push_async_callback(http.close)
        runner = local_runner(config)
        if runner is not None:
            stack.push_async_callback(runner.aclose)
        parse = ProcessParse(RealClock())
        stack.push_async_callback(parse.aclose)
        fetch = await stack.enter_async_context(with_services(config, http, os.environ))
        here = _beside if beside else _embedded
        open_home = _server if config.platform == "server" else here
        mail = SmtpMail()
        stack.callback(mail.close)
        platform = await stack.enter_async_context(open_home(config, fetch, runner, parse))
        platform = dataclasses.replace(platform, mail=mail, pdf=papers(config))
        if config.telemetry.enabled and not beside:
            traces = await stack.enter_async_context(telemetry(config))
            platform = dataclasses.replace(platform, traces=traces)
        if not beside:
            platform = dataclasses.replace(platform, assets=assets.built())
        yield platform


def papers(config: Config) -> Print | None:
    """Who writes PDF, if anybody does; raises Missing where one is to be mailed and nobody does, Misconfigured for a bad font."""
    wanted = config.monthly_report.to and config.monthly_report.format == "pdf"
    return printer_for(config) if wanted else printer(config.monthly_report.font)


def printer_for(config: Config) -> Print:
    """Who writes PDF; raises Missing where nobody does, Misconfigured for a font that is none."""
    font = config.monthly_report.font
    found = printer(font)
    if found is None:
        raise Missing("PDF needs reportlab: pip install 'penstock[reports]', or take html")
    if font and not usable(font):
        raise Misconfigured(
            "monthly_report.font is no TrueType file that can be read; name one, or remove it"
        )
    return found


async def check(config: Config) -> None:
    """That the stores are there as they must be, before anything is started; raises Misconfigured."""
    _served_here(config)
    if config.telemetry.enabled:
        telemetry(config)
    if config.platform == "server":
        from penstock.platforms import server

        await server.check(places(config))


def _served_here(config: Config) -> None:
    if config.platform == "cloudflare":
        raise Misconfigured(
            'platform = "cloudflare" is a Worker\'s, and this process cannot be one: deploy it by'
            ' `penstock deploy cloudflare`, or write platform = "embedded" to serve from here'
        )


def telemetry(config: Config) -> AbstractAsyncContextManager[Traces | None]:
    """Where spans and metrics go; nowhere where the SDK's own switch says so. Raises Missing where it is not installed."""
    if any(not installed(part) for part in SENDERS):
        raise Missing(
            "telemetry.enabled needs OpenTelemetry's SDK: pip install 'penstock[telemetry]'"
        )
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return nullcontext()
    from penstock.platforms.telemetry import opened as opened_telemetry

    return opened_telemetry(config.telemetry)


def installed(part: str) -> bool:
    """Whether a package can be imported, with those that it is a part of."""
    try:
        return find_spec(part) is not None
    except ModuleNotFoundError:
        return False


@asynccontextmanager
async def opened_tables(config: Config) -> AsyncGenerator[Tables]:
    """The tables alone, for the command line: what it writes is on the disk when it returns."""
    _served_here(config)
    if config.platform == "server":
        from penstock.platforms import server
        from penstock.platforms.migrations import shipped
        from penstock.platforms.server import schema

        await schema.check(places(config).postgres, shipped("postgres"))
        async with server.open_tables(config.stores.postgres) as tables:
            yield tables
    else:
        async with embedded.open_tables(config.data, durability="power") as tables:
            yield tables


@asynccontextmanager
async def revoking(config: Config) -> AsyncGenerator[Meter]:
    """A meter whose marks every server process of this home has seen once this has ended."""
    _served_here(config)
    if config.platform == "server":
        from penstock.platforms import server

        places(config)
        async with server.open_meter(config.stores.redis) as meter:
            yield meter
    else:
        yield MemoryMeter(RealClock())
        embedded.bump(Path(config.data))


def places(config: Config) -> Places:
    """Where the server home's stores are; raises Missing where what speaks to them is not installed."""
    lacking = [part for part in ("asyncpg", "redis") if find_spec(part) is None]
    if lacking:
        raise Missing(
            f"platform = \"server\" needs {' and '.join(lacking)}: pip install 'penstock[server]'"
        )
    from penstock.platforms.server import Places

    stores = config.stores
    return Places(
        postgres=stores.postgres,
        redis=stores.redis,
        replicas=stores.replicas,
        paid=AI_ENDPOINTS | {TIER},
        most_blob_bytes=stores.max_reply_bytes,
        most_cache_bytes=DISK_SHARE * config.cache.max_bytes,
        most_entry_bytes=ENTRY_SLACK * config.cache.max_entry_bytes,
    )


def local_runner(config: Config) -> LocalRunner | None:
    """The embedding model in this process, where a provider of kind `local` names one."""
    for name, provider in config.providers.items():
        if provider.kind == "local":
            from penstock.platforms.local import open_runner

            dimensions = [target.dimension for target in config.targets if target.provider == name]
            return open_runner(provider.path, dimension=max(dimensions, default=0))
    return None


def embeds(config: Config, runner: LocalRunner | None) -> tuple[str, int]:
    """The model and dimension of the index's vectors: those of `rag.embedding`, or none, where documents are found by terms alone."""
    target = embedder(config).target
    if target is None:
        return "", 0
    here = 0 if runner is None else runner.encoder.dimension
    return target.model, target.dimension or here


@asynccontextmanager
async def _embedded(
    config: Config, fetch: Fetch, runner: LocalRunner | None, parse: Parse
) -> AsyncGenerator[Platform]:
    async with embedded.open_platform(
        Path(config.data),
        fetch=fetch,
        durability=config.durability,
        cache_max_bytes=config.cache.max_bytes,
        runner=runner,
        parse=parse,
        embeds=embeds(config, runner),
    ) as platform:
        platform.meter.load_marks_by(partial(_marks, platform))
        await _marks(platform)
        yield platform


@asynccontextmanager
async def _beside(
    config: Config, fetch: Fetch, runner: LocalRunner | None, parse: Parse
) -> AsyncGenerator[Platform]:
    async with embedded.open_beside(
        Path(config.data), fetch=fetch, runner=runner, parse=parse, embeds=embeds(config, runner)
    ) as platform:
        yield platform


@asynccontextmanager
async def _server(
    config: Config, fetch: Fetch, runner: LocalRunner | None, parse: Parse
) -> AsyncGenerator[Platform]:
    where = places(config)
    from penstock.platforms import server

    async with server.open_platform(
        where, fetch=fetch, runner=runner, parse=parse, embeds=embeds(config, runner)
    ) as platform:

        async def is_revoked(credential: str) -> bool:
            return await keys.is_revoked(platform.tables, credential, now=platform.clock.now())

        platform.meter.load_marks_by(partial(_marks, platform), is_revoked)
        yield platform


async def _marks(platform: Platform) -> None:
    await keys.load_marks(platform.tables, platform.meter, now=platform.clock.now())
