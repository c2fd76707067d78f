"""Tables and helpers for tests that look inside the embedded home."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest

from penstock.platforms.embedded.tables import EmbeddedTables
from tests.contract.homes import THINGS

Until = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture
async def tables(tmp_path: Path) -> AsyncGenerator[EmbeddedTables]:
    tables = EmbeddedTables(tmp_path / "tables.sqlite", THINGS, 0.0)
    try:
        yield tables
    finally:
        await tables.close()


@pytest.fixture
def until() -> Until:
    """Waits for what another thread does, ten seconds at most."""

    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - what changes it is a thread
                await asyncio.sleep(0.001)  # a thread of the platform is at work, on real time

    return wait
