"""What is the server's index's own: PostgreSQL with and without pgvector, and what its graph finds of a large owner's."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from penstock.errors import Misconfigured, Unavailable
from penstock.platforms.migrations import shipped
from penstock.platforms.server import index_schema, index_sql, schema
from penstock.platforms.server.index import ServerIndex
from penstock.ports import Entry, Vector
from tests.contract import servers
from tests.stores import PostgresServer

MODEL = "small"
SIZE = 16


def drawn(numbers: random.Random) -> tuple[float, ...]:
    return tuple(numbers.gauss() for _ in range(SIZE))


async def fill(index: ServerIndex, owner: str, vectors: Sequence[tuple[float, ...]]) -> None:
    for first in range(0, len(vectors), 500):
        some = enumerate(vectors[first : first + 500], first)
        await index.upsert([Entry(f"n{n}", owner, "d", Vector(MODEL, v)) for n, v in some])


async def test_without_pgvector_the_tables_migrate_and_the_index_names_what_is_missing(
    postgres_server: PostgresServer,
) -> None:
    dsn = postgres_server.database()
    await schema.migrate(dsn, shipped("postgres"), 0.0)
    with pytest.raises(Misconfigured, match=r"no pgvector.*penstock migrate up.*all else works"):
        await index_schema.prepare(dsn, MODEL, SIZE)
    await schema.check(dsn, shipped("postgres"))
    index = ServerIndex(dsn, MODEL, SIZE)
    with pytest.raises(Unavailable, match="penstock migrate up"):
        await index.describe()
    await index.close()


async def test_terms_alone_need_no_pgvector(postgres_server: PostgresServer) -> None:
    async with servers.index(postgres_server, "", 0) as index:
        await index.upsert([Entry("a", "ann", "d", terms=("x",))])
        found = await index.search("ann", 1, terms=["x"])
        assert [match.id for match in found.by_terms] == ["a"]


async def test_a_model_that_was_not_prepared_is_out_of_reach(vector_server: PostgresServer) -> None:
    dsn = vector_server.database()
    await index_schema.prepare(dsn, MODEL, SIZE)
    await index_schema.prepare(dsn, MODEL, SIZE)
    other = ServerIndex(dsn, "large", SIZE)
    with pytest.raises(Unavailable, match="penstock migrate up"):
        await other.upsert([])
    await other.close()


@pytest.mark.parametrize("version", [(0, 5, 1), (0, 8, 0)])
async def test_a_large_owners_are_found_among_others(
    vector_server: PostgresServer, monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...]
) -> None:
    """By the function that pgvector of this version can have; recall at 10 against all that were compared."""
    monkeypatch.setattr(index_sql, "EXACT", 100)
    monkeypatch.setattr(index_schema, "ITERATES", (0, 0) if version >= (0, 8) else (9, 9))
    dsn = vector_server.database()
    await index_schema.prepare(dsn, MODEL, SIZE)
    numbers = random.Random(1)
    index = ServerIndex(dsn, MODEL, SIZE)
    own = [drawn(numbers) for _ in range(300)]
    await fill(index, "rich", [drawn(numbers) for _ in range(1_500)])
    await fill(index, "ann", own)
    right = 0
    for _ in range(20):
        asked = Vector(MODEL, drawn(numbers))
        found = await index.search("ann", 10, vector=asked)
        exact = await index.search("ann", 10, vector=asked, document="d")
        assert len(found.by_vector) == 10
        right += len({*found.by_vector} & {*exact.by_vector})
    assert right >= 0.95 * 200
    await index.close()
