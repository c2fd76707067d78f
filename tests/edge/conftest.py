"""What the edge's own tests share: the ports that its contract suites run on, and a meter by its object's clock."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from penstock.platforms.memory.world import FakeClock
from penstock.ports import Meter, Store, Tables
from tests.contract import edges
from tests.edge.home import EdgeHome, port


@pytest.fixture
async def meter(edge_home: EdgeHome) -> Meter:
    """Counts by the object's own clock, as users' are."""
    opened: Meter = await port(edge_home, FakeClock(), "meter", False)
    return opened


@pytest.fixture
async def tables(edge_home: EdgeHome) -> AsyncGenerator[Tables]:
    async with edges.tables(edge_home) as opened:
        yield opened


@pytest.fixture
async def store(edge_home: EdgeHome) -> AsyncGenerator[Store]:
    async with edges.store(edge_home, FakeClock(), 100) as opened:
        yield opened


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def replies(edge_home: EdgeHome, clock: FakeClock) -> AsyncGenerator[Store]:
    async with edges.store(edge_home, clock, 100, edges.CACHE) as opened:
        yield opened
