"""Each contract test runs once for each home."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from penstock.platforms.memory.world import FakeClock
from penstock.platforms.migrations import shipped
from penstock.platforms.server import schema
from penstock.platforms.server.tables import ServerTables
from penstock.ports import Blobs, Index, Meter, Store, Tables
from tests.contract import edges, homes, servers


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=[*homes.STORES, *servers.STORES, *edges.STORES])
async def store(request, tmp_path: Path, clock: FakeClock) -> AsyncGenerator[Store]:
    """A store that holds 100,000 bytes in memory."""
    if request.param in servers.STORES:
        server = request.getfixturevalue(servers.STORES[request.param])
        opened: AbstractAsyncContextManager[Store] = servers.store(server, clock, 100_000)
    elif request.param in edges.STORES:
        home = request.getfixturevalue(edges.STORES[request.param])
        opened = edges.store(home, clock, 100_000, request.param)
    else:
        opened = homes.STORES[request.param](tmp_path, clock, 100_000)
    async with opened as store:
        yield store


@pytest.fixture(params=[*homes.BLOBS, *servers.BLOBS, *edges.BLOBS])
async def blobs(request, tmp_path: Path, clock: FakeClock) -> AsyncGenerator[Blobs]:
    """Blobs that hold 100,000 bytes."""
    if request.param in servers.BLOBS:
        server = request.getfixturevalue(servers.BLOBS[request.param])
        opened: AbstractAsyncContextManager[Blobs] = servers.blobs(server, clock, 100_000)
    elif request.param in edges.BLOBS:
        if request.node.originalname in edges.UNFIT:
            pytest.skip(edges.UNFIT[request.node.originalname])
        home = request.getfixturevalue(edges.BLOBS[request.param])
        opened = edges.blobs(home, clock)
    else:
        opened = homes.BLOBS[request.param](tmp_path, clock, 100_000)
    async with opened as blobs:
        yield blobs


MODEL = "small"
DIMENSION = 3


@pytest.fixture(params=[*homes.INDEXES, *servers.INDEXES, *edges.INDEXES])
async def index(request, tmp_path: Path, clock: FakeClock) -> AsyncGenerator[Index]:
    """An index of MODEL with DIMENSION dimensions."""
    async with _index(request, tmp_path, clock, MODEL, DIMENSION) as index:
        yield index


@pytest.fixture(params=[*homes.INDEXES, *servers.INDEXES, *edges.INDEXES])
async def plain_index(request, tmp_path: Path, clock: FakeClock) -> AsyncGenerator[Index]:
    """An index without a model."""
    async with _index(request, tmp_path, clock, "", 0) as index:
        yield index


def _index(
    request, folder: Path, clock: FakeClock, model: str, dimension: int
) -> AbstractAsyncContextManager[Index]:
    if request.param in edges.INDEXES:
        home = request.getfixturevalue(edges.INDEXES[request.param])
        return edges.index(home, clock, model, dimension)
    if request.param in servers.INDEXES:
        server = request.getfixturevalue(servers.INDEXES[request.param])
        return servers.index(server, model, dimension)
    return homes.INDEXES[request.param](folder, clock, model, dimension)


@pytest.fixture(params=[*homes.METERS, *servers.METERS, *edges.METERS])
async def meter(request, tmp_path: Path, clock: FakeClock) -> AsyncGenerator[Meter]:
    if request.param in servers.METERS:
        opened: AbstractAsyncContextManager[Meter] = servers.meter(
            request.getfixturevalue(servers.METERS[request.param]), clock
        )
    elif request.param in edges.METERS:
        opened = edges.meter(request.getfixturevalue(edges.METERS[request.param]), clock)
    else:
        opened = homes.METERS[request.param](tmp_path, clock)
    async with opened as meter:
        yield meter


@pytest.fixture(params=[*homes.TABLES, *servers.TABLES, *edges.TABLES])
async def tables(request, tmp_path: Path) -> AsyncGenerator[Tables]:
    """Tables with the migrations of `homes.THINGS`."""
    if request.param in servers.TABLES:
        opened: AbstractAsyncContextManager[Tables] = servers.tables(
            request.getfixturevalue(servers.TABLES[request.param])
        )
    elif request.param in edges.TABLES:
        opened = edges.tables(request.getfixturevalue(edges.TABLES[request.param]))
    else:
        opened = homes.TABLES[request.param](tmp_path)
    async with opened as tables:
        yield tables


@pytest.fixture(params=["embedded", *servers.TABLES, *edges.TABLES])
async def books(request, tmp_path) -> AsyncGenerator[Tables]:
    """Tables with all that is shipped."""
    if request.param in servers.TABLES:
        dsn = request.getfixturevalue(servers.TABLES[request.param]).database()
        await schema.migrate(dsn, shipped("postgres"), 0.0)
        tables = ServerTables(dsn, servers.PATIENCE_SECONDS)
        yield tables
        await tables.close()
    elif request.param in edges.TABLES:
        async with edges.books(request.getfixturevalue(edges.TABLES[request.param])) as edge:
            yield edge
    else:
        async with homes.embedded_tables(tmp_path / "", shipped()) as embedded:
            yield embedded
