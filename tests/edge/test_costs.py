"""The table of what a request takes at the edge is what the bindings count."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

import httpx
import pytest

from penstock.auth.mint import mint
from penstock.prices.edge import KINDS, PASS
from penstock.prices.edge.taken import ROW_BYTES
from tests.edge.home import EdgeHome
from tests.edge.taken import ASKS, Worker, chat, worker
from tests.edge.worker import SECRET
from tests.edge.worker import Worker as Process

UNCOUNTED = {"worker_requests", "worker_cpu_ms", "object_duration", "d1_bytes", "d1_questions"}
"""What no binding counts, or only by the page."""
MANY = 16
DUE = 32
"""Rows read to see what else is due: documents, labels, sums, alerts, sessions, the month's report, and what is swept in an hour's first minute."""


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
    assert 2 * MANY < first["d1_rows_read"] <= 4 * MANY + DUE


async def test_a_bought_request_adds_no_more_to_the_ledger_than_is_assumed(at_work: Worker) -> None:
    await at_work.round(chat, MANY)
    took = await at_work.took(at_work.round(chat, 4 * MANY))
    assert ROW_BYTES // 2 < took["d1_bytes"] // (4 * MANY) <= ROW_BYTES


class Served:
    """The Worker itself over HTTP, whose bindings count too."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._token = mint({"sub": "alice"}, SECRET, now=time.time())

    def chat(self, text: str, token: str = "") -> int:
        headers = {"authorization": f"Bearer {token or self._token}"}
        body = {"model": "auto", "messages": [{"role": "user", "content": text}]}
        url = f"{self._process.url}/v1/chat/completions"
        status = httpx.post(url, json=body, headers=headers, timeout=30.0).status_code
        self._process.ask("idle")
        return status

    def took(self, work: Callable[[], object]) -> dict[str, int]:
        before = self._process.ask("counts")
        work()
        self._process.ask("idle")
        return {
            name: number - before.get(name, 0)
            for name, number in self._process.ask("counts").items()
        }

    def pass_over(self) -> None:
        self._process.ask("scheduled")


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with Process({"providers": {"sandbox": {"kind": "sandbox"}}}, counted=True) as process:
        yield Served(process)


def test_the_worker_takes_what_the_table_says_or_less(served: Served) -> None:
    served.chat("first")
    served.pass_over()
    for kind, asked in {
        "chat": lambda: served.chat("another"),
        "chat_cached": lambda: served.chat("another"),
        "stranger": lambda: served.chat("another", "nobody's"),
    }.items():
        took, takes = _counts(served.took(asked)), _counts(KINDS[kind].takes)
        exact = ("d1_rows_written", "kv_reads", "kv_writes", "object_requests")
        assert {name: took.get(name) for name in exact} == {name: takes.get(name) for name in exact}
        # It reads the purges every five seconds, not each time, and nothing is an hour old that it would sweep.
        assert all(takes.get(name, 0) >= units for name, units in took.items()), (kind, took)
    assert _counts(served.took(served.pass_over)).keys() <= PASS.takes.keys()


def _counts(takes: Mapping[str, int]) -> dict[str, int]:
    """What bindings count, without what is nought."""
    found = dict(takes)
    return {name: units for name, units in found.items() if units and name not in UNCOUNTED}
