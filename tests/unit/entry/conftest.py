"""A server that tells what it was asked, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.inbound import Server, Visitor, echo


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server(echo)
    yield made
    await made.stop()


@pytest.fixture
def visitor(server: Server) -> Visitor:
    return server.visitor()
