"""The client under test, on both event loops; it must leave no connection behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import uvloop

from load.fake_provider import FakeProvider
from penstock.platforms.http import Http
from tests.contract import edges
from tests.edge.exchanges import EdgeFetch


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The edge's client runs in Node, whichever loop asks it: one is enough."""
    items[:] = [item for item in items if "uvloop-cloudflare" not in item.name]


@pytest.fixture(params=["own client", *edges.FETCHES])
async def http(request) -> AsyncIterator[Http | EdgeFetch]:
    if request.param in edges.FETCHES:
        if reason := edges.unfit_for_fetch(request.node):
            pytest.skip(reason)
        async with edges.fetch(request.getfixturevalue(edges.FETCHES[request.param])) as opened:
            yield opened
        return
    client = Http()
    yield client
    await client.close()
    assert (client.busy, client.idle) == (0, 0)


@pytest.fixture(scope="module")
def running() -> Iterator[FakeProvider]:
    with FakeProvider() as provider:
        yield provider


@pytest.fixture
def fake(running: FakeProvider) -> FakeProvider:
    running.reset()
    return running
