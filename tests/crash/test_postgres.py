"""The same of the server home: its gateway dies, PostgreSQL and Redis live on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.conftest import Kill
from tests.crash.homes import Postgres
from tests.crash.points import BRIEF
from tests.stores import PostgresServer, RedisServer


@pytest.fixture(scope="module")
def home(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_server: PostgresServer,
    redis_server: RedisServer,
) -> Postgres:
    return Postgres(Path(tmp_path_factory.mktemp("crash")), postgres_server, redis_server)


@pytest.mark.parametrize("point", BRIEF)
async def test_the_books_are_right_after_a_kill(kill: Kill, home: Postgres, point: str) -> None:
    await kill(home, point)
