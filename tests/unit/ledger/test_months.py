"""A month of the ledger at the edge: its requests by kind and day, the texts of batches, neurons, and the days to come."""

from __future__ import annotations

import pytest

from penstock.ledger import book, days, months, sql
from penstock.ledger.book import Account, Charged
from penstock.platforms import memory
from penstock.ports import Tables
from penstock.prices import Price, lookup
from penstock.prices.edge import CRON_A_DAY, each
from penstock.wire.chat import Usage

FIRST = days.parse("2026-11-01") or 0
SECOND = FIRST + days.DAY_MS
MODEL = "@cf/ibm-granite/granite-4.0-h-micro"
GRANITE = Charged("cloudflare", MODEL, f"cloudflare/{MODEL}")
USAGE = Usage(input=1_000, output=100)


def account(number: int, service: str = "chat") -> Account:
    return Account(f"req_{number}", "default/a", "default", "a", "", "auto", service)


@pytest.fixture
async def tables() -> Tables:
    tables = memory.platform().tables
    await tables.batch(
        book.final(account(1), 1, "settled", FIRST, GRANITE, USAGE, 100),
        book.final(account(2), 1, "estimated", FIRST + 1, GRANITE, USAGE, 50),
        book.final(account(3), 0, "settled", FIRST + 2, GRANITE, USAGE, 0, "hit"),
        book.final(account(4), 0, "released", FIRST + 3, Charged(), Usage(), 0),
        book.final(account(5, "embeddings"), 1, "settled", SECOND, GRANITE, USAGE, 7),
        book.final(account(6), 1, "settled", FIRST - 1, GRANITE, USAGE, 1_000),
        (sql.COUNT_CACHE, ("2026-11-02", "embed", 4, 6)),
        (sql.COUNT_CACHE, ("2026-11-02", "chat", 70, 70)),
    )
    return tables


def neurons(provider: str, model: str, day: str) -> Price | None:
    return lookup("workers_ai", model, day) if provider == "cloudflare" else None


async def test_requests_by_kind_and_what_they_cost(tables: Tables) -> None:
    found = await months.month(tables, SECOND, SECOND + 5, neurons)
    assert (found.month, found.length, found.over) == ("2026-11", 30, False)
    assert [day.day for day in found.days] == ["2026-11-01", "2026-11-02"]
    assert found.asks == {"chat": 2, "chat_cached": 1, "embedding": 1, "embedding_cached": 0}
    assert [day.cost_nanos for day in found.days] == [150, 7]


async def test_each_day_takes_its_requests_and_the_reconcilers_passes(tables: Tables) -> None:
    first, second = (await months.month(tables, SECOND, SECOND + 5, neurons)).days
    assert first.takes["worker_requests"] == CRON_A_DAY + 3
    chat, hit = each("chat"), each("chat_cached")
    rows = 2 * chat["d1_rows_written"] + hit["d1_rows_written"]
    assert first.takes["d1_rows_written"] == rows + CRON_A_DAY
    assert (first.takes["kv_reads"], first.takes["kv_writes"]) == (3, 2)
    # Ten texts in one request, six of them bought.
    assert (second.takes["kv_reads"], second.takes["kv_writes"]) == (10, 6)


async def test_neurons_are_those_of_what_workers_ai_answered(tables: Tables) -> None:
    [first, second] = (await months.month(tables, SECOND, SECOND + 5, neurons)).days
    assert first.takes["neurons"] == 2 * (1_000 * 1_542 + 100 * 10_158)
    assert second.takes["neurons"] == 1_000 * 1_542 + 100 * 10_158
    [other, _] = (await months.month(tables, SECOND, SECOND + 5, lambda *_: None)).days
    assert other.takes["neurons"] == 0


async def test_days_to_come_are_as_those_behind(tables: Tables) -> None:
    found = await months.month(tables, SECOND, SECOND + days.DAY_MS - 1, neurons)
    assert len(found.whole) == 30
    # The second day is not over: it is not taken for a day that is.
    assert found.whole[2:] == [found.days[0].takes] * 28
    third = await months.month(tables, SECOND, SECOND + days.DAY_MS, neurons)
    assert third.whole[3:5] == [day.takes for day in third.days[:2]]


async def test_a_month_that_is_over_is_all_of_it(tables: Tables) -> None:
    found = await months.month(tables, FIRST, days.parse("2027-02-03") or 0, neurons)
    assert (len(found.days), found.over) == (30, True)
    assert found.whole == [day.takes for day in found.days]
    before = await months.month(tables, FIRST - 1, SECOND, neurons)
    assert (before.month, before.asks["chat"], before.length) == ("2026-10", 1, 31)
