"""The table of what a request takes at the edge is what the bindings count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from penstock.prices.edge import KINDS, PASS
from penstock.prices.edge.taken import ROW_BYTES
from tests.edge.home import EdgeHome
from tests.edge.taken import ASKS, Worker, chat, worker

UNCOUNTED = {"worker_requests", "worker_cpu_ms", "object_duration", "d1_bytes", "d1_questions"}
"""What no binding counts, or only by the page."""
MANY = 16


@pytest.fixture(scope="module")
def counted_home() -> Iterator[EdgeHome]:
    """A home of its own, whose bindings count what they are asked."""
    with EdgeHome("counted") as home:
        yield home


@pytest.fixture
async def at_work(counted_home: EdgeHome) -> Worker:
    return await worker(counted_home)


def test_every_kind_is_asked() -> None:
    assert ASKS.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_request_takes_what_the_table_says(at_work: Worker, kind: str) -> None:
    took = await at_work.request(kind)
    assert _counts(took) == _counts(KINDS[kind].takes)


async def test_a_pass_that_remembers_reads_next_to_nothing_and_a_first_one_all(
    at_work: Worker,
) -> None:
    await at_work.round(chat, MANY)
    first, next_one = await at_work.reconciled()
    assert _counts(next_one) == _counts(PASS.takes)
    assert first["d1_rows_read"] > 2 * MANY


async def test_a_bought_request_adds_no_more_to_the_ledger_than_is_assumed(at_work: Worker) -> None:
    await at_work.round(chat, MANY)
    took = await at_work.took(at_work.round(chat, 4 * MANY))
    assert ROW_BYTES // 2 < took["d1_bytes"] // (4 * MANY) <= ROW_BYTES


def _counts(takes: Mapping[str, int]) -> dict[str, int]:
    """What bindings count, without what is nought."""
    found = dict(takes)
    return {name: units for name, units in found.items() if units and name not in UNCOUNTED}
