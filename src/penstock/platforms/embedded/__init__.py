"""The home on one machine: SQLite, one process that serves, nothing else to install or run."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from penstock.platforms.crypto import Signatures
from penstock.platforms.embedded import folder
from penstock.platforms.embedded.blobs import EmbeddedBlobs
from penstock.platforms.embedded.index import EmbeddedIndex
from penstock.platforms.embedded.meter import EmbeddedMeter, Epoch, bump
from penstock.platforms.embedded.store import EmbeddedStore
from penstock.platforms.embedded.tables import Durability, EmbeddedTables
from penstock.platforms.memory.meter import MemoryMeter
from penstock.platforms.memory.store import MemoryStore
from penstock.platforms.migrations import shipped
from penstock.platforms.world import RandomIds, RealClock, Spawner
from penstock.ports import Fetch, Parse, Platform, Runner

__all__ = ["EmbeddedPlatform", "bump", "open_beside", "open_platform", "open_tables"]

TABLES_FILE = "penstock.sqlite"
CACHE_FILE = "cache.sqlite"
BLOBS_FILE = "blobs.sqlite"
INDEX_FILE = "index.sqlite"
DRAIN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class EmbeddedPlatform(Platform):
    """A Platform whose meter is told how to load revocations (`meter.load_marks_by`) and whose work can be drained."""

    store: EmbeddedStore
    blobs: EmbeddedBlobs
    meter: EmbeddedMeter
    tables: EmbeddedTables
    spawn: Spawner


@asynccontextmanager
async def open_platform(
    data: Path | str,
    *,
    fetch: Fetch,
    durability: Durability = "process",
    cache_max_bytes: int = 64 << 20,
    runner: Runner | None = None,
    parse: Parse | None = None,
    embeds: tuple[str, int] = ("", 0),
) -> AsyncGenerator[EmbeddedPlatform]:
    """The platform on a data directory, for the one process that serves from it; raises Misconfigured. `embeds` are the model
    and the dimension of the index's vectors, or none: it then searches by terms alone.

    On leaving, background work gets ten seconds, then what waits is written.
    """
    place = folder.prepare(Path(data))
    clock, spawn = RealClock(), Spawner()
    async with AsyncExitStack() as stack:
        stack.enter_context(folder.lock(place))
        tables = await stack.enter_async_context(open_tables(place, durability=durability))
        try:
            epoch = Epoch(place)
            stack.callback(epoch.close)
            store = EmbeddedStore(folder.private(place / CACHE_FILE), clock, cache_max_bytes)
        except (OSError, apsw.Error) as error:
            raise folder.unusable(place, f"cannot be used ({type(error).__name__})") from error
        stack.push_async_callback(store.close)
        blobs = EmbeddedBlobs(folder.private(place / BLOBS_FILE), clock, durability)
        stack.push_async_callback(blobs.close)
        index = EmbeddedIndex(place / INDEX_FILE, clock, *embeds, durability)
        stack.push_async_callback(index.close)
        stack.push_async_callback(spawn.drain, DRAIN_SECONDS)
        yield EmbeddedPlatform(
            name="embedded",
            fetch=fetch,
            store=store,
            blobs=blobs,
            meter=EmbeddedMeter(clock, epoch),
            tables=tables,
            clock=clock,
            ids=RandomIds(),
            spawn=spawn,
            crypto=Signatures(),
            runner=runner,
            parse=parse,
            index=index,
            secret=folder.secret(place),
        )


@asynccontextmanager
async def open_beside(
    data: Path | str,
    *,
    fetch: Fetch,
    runner: Runner | None = None,
    parse: Parse | None = None,
    embeds: tuple[str, int] = ("", 0),
) -> AsyncGenerator[Platform]:
    """The platform for one command, beside a process that serves or without one: its cache and its counts are its own.

    What it writes is on the disk when it returns.
    """
    place = folder.prepare(Path(data))
    clock, spawn = RealClock(), Spawner()
    async with AsyncExitStack() as stack:
        tables = await stack.enter_async_context(open_tables(place, durability="power"))
        blobs = EmbeddedBlobs(folder.private(place / BLOBS_FILE), clock, "power")
        stack.push_async_callback(blobs.close)
        index = EmbeddedIndex(place / INDEX_FILE, clock, *embeds, "power")
        stack.push_async_callback(index.close)
        stack.push_async_callback(spawn.drain, DRAIN_SECONDS)
        yield Platform(
            name="embedded",
            fetch=fetch,
            store=MemoryStore(clock),
            blobs=blobs,
            meter=MemoryMeter(clock),
            tables=tables,
            clock=clock,
            ids=RandomIds(),
            spawn=spawn,
            crypto=Signatures(),
            runner=runner,
            parse=parse,
            index=index,
            secret=folder.secret(place),
        )


@asynccontextmanager
async def open_tables(
    data: Path | str, *, durability: Durability = "process"
) -> AsyncGenerator[EmbeddedTables]:
    """The tables alone, beside a process that serves or without one: for the command line."""
    place = folder.prepare(Path(data))
    path = folder.private(place / TABLES_FILE)
    tables = EmbeddedTables(path, shipped(), RealClock().now(), durability)
    try:
        yield tables
    finally:
        await tables.close()
