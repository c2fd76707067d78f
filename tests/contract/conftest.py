"""Each contract test runs once for each home."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from penstock.platforms.memory.world import FakeClock
from penstock.ports import Blobs, Meter, Store, Tables
from tests.contract import homes


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=homes.STORES)
async def store(request, tmp_path: Path, clock: FakeClock) -> AsyncGenerator[Store]:
    """A store that holds 100,000 bytes in memory."""
    async with homes.STORES[request.param](tmp_path, clock, 100_000) as store:
        yield store


@pytest.fixture(params=homes.BLOBS)
async def blobs(request, tmp_path: Path, clock: FakeClock) -> AsyncGenerator[Blobs]:
    """Blobs that hold 100,000 bytes."""
    async with homes.BLOBS[request.param](tmp_path, clock, 100_000) as blobs:
        yield blobs


@pytest.fixture(params=homes.METERS)
async def meter(request, tmp_path: Path, clock: FakeClock) -> AsyncGenerator[Meter]:
    async with homes.METERS[request.param](tmp_path, clock) as meter:
        yield meter


@pytest.fixture(params=homes.TABLES)
async def tables(request, tmp_path: Path) -> AsyncGenerator[Tables]:
    """Tables with the migrations of `homes.THINGS`."""
    async with homes.TABLES[request.param](tmp_path) as tables:
        yield tables
