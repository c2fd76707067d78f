"""What every test shares: property tests are judged by what they find, never by how long they took; and the real stores."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests import suite
from tests.edge.home import EdgeHome
from tests.stores import PostgresServer, RedisServer, vector_programs

settings.register_profile(
    "penstock", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("penstock")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Port by home, how the suites ended; with xdist this is the process that hears of all tests."""
    kinds = {"passed": "passed", "skipped": "skipped", "failed": "failed", "error": "failed"}
    counts = suite.counted(
        (report.nodeid, outcome)
        for kind, outcome in kinds.items()
        for report in terminalreporter.stats.get(kind, ())
        if isinstance(report, pytest.TestReport)
    )
    if counts:
        terminalreporter.section("the suite of each port on each home")
        for line in suite.lines(counts):
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that a session's tests share: each empties it first, and none kills it."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The same, which refuses a script that reaches keys of two slots."""
    with RedisServer(tmp_path_factory.mktemp("cluster"), cluster=True) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A PostgreSQL that a session's tests share: each has a database of its own."""
    with PostgresServer(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(scope="session")
def vector_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """The same with pgvector, which comes with a PostgreSQL of its own."""
    with PostgresServer(tmp_path_factory.mktemp("vectors"), vector_programs()) as server:
        yield server


@pytest.fixture(scope="session")
def edge_client() -> Iterator[EdgeHome]:
    """Another, for what asks targets that go wrong: Node's client and that of the bindings share what they upset."""
    with EdgeHome() as home:
        yield home


@pytest.fixture(scope="session")
def edge_home() -> Iterator[EdgeHome]:
    """A Worker's bindings, and Pyodide beside them, that a session's tests share: each empties what it opens."""
    with EdgeHome() as home:
        yield home
