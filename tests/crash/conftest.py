"""The provider that the doomed gateways call, and what every kill must leave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from load.fake_provider import FakeProvider
from tests.crash.homes import Home
from tests.crash.points import BRIEF, BY_NAME
from tests.crash.run import spec
from tests.crash.series import provider, reached

SEED = 14
Kill = Callable[[Home, str], Awaitable[None]]


@pytest.fixture(scope="session")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeProvider]:
    with provider(Path(tmp_path_factory.mktemp("fake"))) as process:
        yield process


@pytest.fixture
def kill(fake: FakeProvider) -> Kill:
    """Kills a gateway at a fail-point; whoever is told of a failure can repeat it by seed and point."""

    async def killed(home: Home, point: str) -> None:
        wanted = spec(SEED, BRIEF.index(point), BY_NAME[point])
        result = await reached(wanted, home, fake)
        assert result.faults == [], str(result.spec)

    return killed
