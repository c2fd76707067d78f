"""The homes that must keep each port's promise: a new one adds a factory to each table."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

from qdrant_client import AsyncQdrantClient

from penstock.platforms.embedded.blobs import EmbeddedBlobs
from penstock.platforms.embedded.index import EmbeddedIndex
from penstock.platforms.embedded.meter import EmbeddedMeter, Epoch
from penstock.platforms.embedded.store import EmbeddedStore
from penstock.platforms.embedded.tables import EmbeddedTables
from penstock.platforms.memory.blobs import MemoryBlobs
from penstock.platforms.memory.index import MemoryIndex, MemoryPlace
from penstock.platforms.memory.meter import MemoryMeter
from penstock.platforms.memory.store import MemoryStore
from penstock.platforms.memory.tables import MemoryTables
from penstock.platforms.memory.world import FakeClock
from penstock.platforms.migrations import Migration
from penstock.platforms.server.qdrant import QdrantIndex
from penstock.ports import Blobs, Index, Meter, Store, Tables

THINGS = (
    Migration(
        1,
        "things",
        """
        create table things (
          name text not null, kind text not null default '', number bigint not null default 0,
          share double precision, data bytea, slot bigint, place bigint,
          constraint things_pkey primary key (name),
          constraint things_number check (number >= 0),
          constraint things_slot_taken unique (slot, kind)
        );
        create unique index things_one_place on things (place) where place is not null;
        -- A comment; with a semicolon.
        create table counters (name text primary key, value bigint not null);
        """,
    ),
)


@asynccontextmanager
async def memory_store(_: Path, clock: FakeClock, max_bytes: int) -> AsyncGenerator[Store]:
    yield MemoryStore(clock, max_bytes)


@asynccontextmanager
async def embedded_store(folder: Path, clock: FakeClock, max_bytes: int) -> AsyncGenerator[Store]:
    store = EmbeddedStore(folder / "cache.sqlite", clock, max_bytes)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def memory_blobs(_: Path, clock: FakeClock, max_bytes: int) -> AsyncGenerator[Blobs]:
    yield MemoryBlobs(clock, max_bytes)


@asynccontextmanager
async def embedded_blobs(folder: Path, clock: FakeClock, max_bytes: int) -> AsyncGenerator[Blobs]:
    blobs = EmbeddedBlobs(folder / "blobs.sqlite", clock, max_bytes=max_bytes)
    try:
        yield blobs
    finally:
        await blobs.close()


@asynccontextmanager
async def memory_meter(_: Path, clock: FakeClock) -> AsyncGenerator[Meter]:
    yield MemoryMeter(clock)


@asynccontextmanager
async def embedded_meter(folder: Path, clock: FakeClock) -> AsyncGenerator[Meter]:
    epoch = Epoch(folder)
    try:
        yield EmbeddedMeter(clock, epoch)
    finally:
        epoch.close()


@asynccontextmanager
async def memory_tables(_: Path) -> AsyncGenerator[Tables]:
    tables = MemoryTables(THINGS)
    try:
        yield tables
    finally:
        tables.close()


@asynccontextmanager
async def embedded_tables(
    folder: Path, steps: Sequence[Migration] = THINGS
) -> AsyncGenerator[Tables]:
    tables = EmbeddedTables(folder / "tables.sqlite", steps, 0.0)
    try:
        yield tables
    finally:
        await tables.close()


@asynccontextmanager
async def powerful_tables(folder: Path) -> AsyncGenerator[Tables]:
    tables = EmbeddedTables(folder / "tables.sqlite", THINGS, 0.0, "power")
    try:
        yield tables
    finally:
        await tables.close()


@asynccontextmanager
async def memory_index(_: Path, __: FakeClock, model: str, dimension: int) -> AsyncGenerator[Index]:
    yield MemoryIndex(model, dimension)


@asynccontextmanager
async def vectors_alone(
    _: Path, __: FakeClock, model: str, dimension: int
) -> AsyncGenerator[Index]:
    """As where a platform has no search by terms."""
    yield MemoryIndex(model, dimension, lexical=False)


@asynccontextmanager
async def embedded_index(
    folder: Path, clock: FakeClock, model: str, dimension: int
) -> AsyncGenerator[Index]:
    async with _embedded_index(folder, clock, model, dimension, arrays=True) as index:
        yield index


@asynccontextmanager
async def scanned_index(
    folder: Path, clock: FakeClock, model: str, dimension: int
) -> AsyncGenerator[Index]:
    """As where numpy is not installed."""
    async with _embedded_index(folder, clock, model, dimension, arrays=False) as index:
        yield index


@asynccontextmanager
async def _embedded_index(
    folder: Path, clock: FakeClock, model: str, dimension: int, *, arrays: bool
) -> AsyncGenerator[Index]:
    path = folder / "index.sqlite"
    index = EmbeddedIndex(path, clock, model, dimension, arrays=arrays)
    try:
        yield index
    finally:
        await index.close()


@asynccontextmanager
async def qdrant_index(
    folder: Path, clock: FakeClock, model: str, dimension: int
) -> AsyncGenerator[Index]:
    """By its client's local mode, which keeps points in this process."""
    async with qdrant_beside(folder, clock) as opened:
        yield await opened(model, dimension)


Beside = Callable[[str, int], Awaitable[Index]]
"""Opens an index of that model in a place that it shares with the others."""


@asynccontextmanager
async def memory_beside(_: Path, __: FakeClock) -> AsyncGenerator[Beside]:
    place: MemoryPlace = {}

    async def opened(model: str, dimension: int) -> Index:
        return MemoryIndex(model, dimension, place=place)

    yield opened


@asynccontextmanager
async def embedded_beside(folder: Path, clock: FakeClock) -> AsyncGenerator[Beside]:
    async with AsyncExitStack() as stack:

        async def opened(model: str, dimension: int) -> Index:
            return await stack.enter_async_context(embedded_index(folder, clock, model, dimension))

        yield opened


@asynccontextmanager
async def qdrant_beside(_: Path, __: FakeClock) -> AsyncGenerator[Beside]:
    client = AsyncQdrantClient(":memory:")

    async def opened(model: str, dimension: int) -> Index:
        return QdrantIndex(client, model, dimension)

    try:
        yield opened
    finally:
        await client.close()


STORES: dict[str, Callable[[Path, FakeClock, int], AbstractAsyncContextManager[Store]]] = {
    "memory": memory_store,
    "embedded": embedded_store,
}
BLOBS: dict[str, Callable[[Path, FakeClock, int], AbstractAsyncContextManager[Blobs]]] = {
    "memory": memory_blobs,
    "embedded": embedded_blobs,
}
METERS: dict[str, Callable[[Path, FakeClock], AbstractAsyncContextManager[Meter]]] = {
    "memory": memory_meter,
    "embedded": embedded_meter,
}
TABLES: dict[str, Callable[[Path], AbstractAsyncContextManager[Tables]]] = {
    "memory": memory_tables,
    "embedded": embedded_tables,
    "embedded, durability power": powerful_tables,
}
INDEXES: dict[str, Callable[[Path, FakeClock, str, int], AbstractAsyncContextManager[Index]]] = {
    "memory": memory_index,
    "memory, vectors alone": vectors_alone,
    "embedded": embedded_index,
    "embedded, without numpy": scanned_index,
    "server, Qdrant": qdrant_index,
}
BESIDE: dict[str, Callable[[Path, FakeClock], AbstractAsyncContextManager[Beside]]] = {
    "memory": memory_beside,
    "embedded": embedded_beside,
    "server, Qdrant": qdrant_beside,
}
"""Where several models share a place; Vectorize has one dimension."""
