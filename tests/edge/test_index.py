"""What is Vectorize's own about `Index`: changes that are found later, rows that decide until then, and what may be wrong."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given, settings

from penstock.errors import Unavailable, WrongModel
from penstock.platforms.memory.world import FakeClock
from penstock.ports import Entry, Vector
from tests.contract import edges
from tests.contract.conftest import DIMENSION, MODEL
from tests.contract.test_index import EAST, NORTH, entry, near, toward
from tests.contract.test_index_model import play, scenarios
from tests.edge.home import EdgeHome, port
from tests.edge.indexes import EdgeIndex

HOUR = 3600


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def index(edge_home: EdgeHome, clock: FakeClock) -> AsyncGenerator[EdgeIndex]:
    async with edges.index(edge_home, clock, MODEL, DIMENSION) as opened:
        yield opened


@settings(max_examples=10)
@given(scenario=scenarios)
def test_an_index_is_its_model(edge_home: EdgeHome, scenario: list) -> None:
    def home(_, clock, model, dimension):
        return edges.index(edge_home, clock, model, dimension)

    asyncio.run(play(home, scenario))


async def test_what_is_written_is_found_once_settled_passes_it(index: EdgeIndex) -> None:
    assert (await index.describe()).settled == math.inf
    await index.port.upsert([entry("a")])
    assert await near(index) == []
    assert (await index.describe()).settled == 0
    assert (await index.describe()).settled == math.inf
    assert await near(index) == ["a"]


async def test_settled_is_the_last_change_that_was_taken_in(index: EdgeIndex) -> None:
    await index.upsert([entry("a")])
    await index.port.upsert([entry("b")])
    assert 1_700_000_000 < (await index.describe()).settled < 4_000_000_000
    await index.settled()
    assert await near(index) == ["a", "b"]


async def test_a_delete_counts_before_vectorize_knows(index: EdgeIndex) -> None:
    await index.upsert([entry("a"), entry("b", document="e"), entry("c", owner="bob")])
    await index.delete("ann", ["a"], "e")
    assert await near(index) == []
    assert await near(index, owner="bob") == ["c"]
    assert await index.port.held() == 3
    await index.settled()
    assert await index.port.held() == 1
    assert await index.port.rows("select count(*) from vectors") == [(1,)]


async def test_a_replaced_vector_is_not_found_and_leaves(index: EdgeIndex) -> None:
    await index.upsert([entry("a", EAST)])
    await index.port.upsert([entry("a", NORTH)])
    assert await near(index) == []
    await index.settled()
    found = await index.search("ann", 9, vector=toward(*NORTH))
    assert [match.score for match in found.by_vector] == [1]
    assert await index.port.held() == 1


async def test_an_upsert_that_vectorize_refuses_writes_nothing(index: EdgeIndex) -> None:
    await index.upsert([entry("a", EAST)])
    await index.port.breaks("VECTOR_UPSERT")
    with pytest.raises(Unavailable) as failed:
        await index.port.upsert([entry("a", NORTH), entry("b")])
    assert "secret" not in failed.value.message
    await index.port.breaks("")
    assert await near(index) == ["a"]
    assert (await index.describe()).entries == 1


async def test_what_could_not_be_deleted_is_deleted_by_a_later_write(
    index: EdgeIndex, clock: FakeClock
) -> None:
    await index.upsert([entry("a"), entry("b")])
    await index.port.breaks("VECTOR_DELETE")
    await index.delete("ann", ["a"])
    assert await near(index) == ["b"]
    await index.port.breaks("")
    await index.upsert([entry("c")])
    assert await index.port.held() == 3
    clock.advance(HOUR + 1)
    await index.upsert([entry("d")])
    await index.settled()
    assert await index.port.held() == 3
    assert await near(index) == ["b", "c", "d"]
    assert await index.port.rows("select count(*) from vectors where gone > 0") == [(0,)]


@pytest.mark.parametrize("operation", ["VECTOR_QUERY", "INDEX_GET"])
async def test_out_of_reach_is_unavailable(index: EdgeIndex, operation: str) -> None:
    await index.port.upsert([entry("a")])
    await index.port.breaks(operation)
    with pytest.raises(Unavailable):
        await (near(index) if operation == "VECTOR_QUERY" else index.describe())


async def test_the_first_model_is_its_model_for_good(edge_home: EdgeHome, index: EdgeIndex) -> None:
    await index.upsert([entry("a")])
    other = await port(edge_home, FakeClock(), "again", "large", 4)
    with pytest.raises(WrongModel, match="'small' with 3 dimensions"):
        await other.find("ann", 1, Vector("large", (1, 0, 0, 0)), None, None)


async def test_names_lie_in_no_text(index: EdgeIndex) -> None:
    await index.upsert([Entry("name-of-it", "ann@example.com", "letter.pdf", toward(*EAST))])
    [row] = await index.port.rows("select owner, id, document from vectors")
    assert not {"ann@example.com", "name-of-it", "letter.pdf"} & {*row}
    assert [len(row[0]), len(row[2])] == [64, 64]


# What a start-up can find


async def test_nothing_is_wrong_with_a_good_index(index: EdgeIndex) -> None:
    assert await index.port.problem() == ""
    await index.upsert([entry("a")])
    assert await index.port.problem() == ""


async def test_another_dimension_is_a_problem(edge_home: EdgeHome, clock: FakeClock) -> None:
    async with edges.index(edge_home, clock, MODEL, DIMENSION, has=DIMENSION + 1) as index:
        problem = await index.port.problem()
        assert "has 4 dimensions, and small makes 3" in problem
        assert "create document-vectors --dimensions=3 --metric=cosine" in problem
        with pytest.raises(Unavailable):
            await index.port.upsert([entry("a")])


@pytest.mark.parametrize(("kept", "lacking"), [([], "owner"), (["owner"], "document")])
async def test_a_missing_metadata_index_is_a_problem(
    index: EdgeIndex, kept: list[str], lacking: str
) -> None:
    await index.port.unindexed(kept)
    await index.upsert([entry("a")])
    assert await near(index) == (["a"] if kept else [])
    assert (
        "npx wrangler vectorize create-metadata-index document-vectors"
        f" --property-name={lacking} --type=string" in await index.port.problem()
    )
