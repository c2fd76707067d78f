"""The figures of a month on every Tables, beside the plainest addition; and who makes its report."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest

from penstock.config import decode, defaults
from penstock.ledger import book, budgets, days, duties, rollups
from penstock.ledger.book import Account, Charged
from penstock.ledger.budgets import Held
from penstock.ledger.reports import figures, monthly
from penstock.ledger.reports.figures import Asked
from penstock.ledger.reports.monthly import MOST, Monthly, Sums
from penstock.ledger.rollups import Pace
from penstock.platforms.memory.world import FakeClock
from penstock.ports import Tables
from penstock.wire.chat import Usage
from tests.contract.test_rollups import HOURS, NOW, Told
from tests.path.world import CONFIG

CONFIGURED, _ = defaults(decode(CONFIG, {}), {})
SOON = NOW + 2 * HOURS * days.HOUR_MS
MONTH = days.day(NOW)[:7]


async def month(tables: Tables, tenant: str = "") -> Monthly:
    return await monthly.monthly(tables, CONFIGURED, monthly.asking(MONTH, SOON, tenant))


def figured(sums: Sums) -> tuple[int, ...]:
    return tuple(sums[name] for name in ("requests", "cached", "tokens", "cost_nanos"))


def group(found: Monthly, of: str) -> dict[Any, tuple[int, ...]]:
    return {key[-1]: figured(sums) for key, sums in found.groups[of]}


async def check(tables: Tables, told: Told) -> None:
    found = await month(tables)
    assert {"": figured(found.totals)} == told.sums(lambda at, whose, model: "")
    by_day: Mapping[Any, Any] = told.sums(lambda at, whose, model: days.day(at))
    assert {day: figured(sums) for day, sums in found.by_day if day in by_day} == by_day
    assert group(found, "model") == told.sums(lambda at, whose, model: model)
    assert group(found, "route") == told.sums(lambda at, whose, model: whose.route)
    assert group(found, "tenant") == told.sums(lambda at, whose, model: whose.tenant)
    assert found.latency is not None
    assert found.latency["count"] == sum(one.status < 400 for one in told.ends)
    assert found.errors is not None
    assert found.errors["number"] == sum(one.status >= 400 for one in told.ends)
    for tenant in ("default", "a/c%", "nobody"):
        own = await month(tables, tenant)
        plain = told.sums(lambda at, whose, model, of=tenant: model if whose.tenant == of else None)
        plain.pop(None, None)
        assert group(own, "model") == plain
        users = told.sums(lambda at, whose, model, of=tenant: whose.owner if whose.tenant == of else None)  # fmt: skip
        users.pop(None, None)
        assert group(own, "user") == users
        chats = sum(row[3] for row in plain.values())
        assert own.saved is not None
        assert own.saved["cost_nanos"] == chats
        assert own.latency is None


async def test_a_month_is_exact_before_between_and_after_passes(books) -> None:
    told = Told(random.Random(11))
    for number in range(30):
        await books.batch(*told.some())
        if number == 15:
            await check(books, told)
            await rollups.roll(books, FakeClock(), Pace(17))
    await check(books, told)
    await rollups.roll(books, FakeClock(), Pace(1_000))
    await check(books, told)


GUESSED = Charged("dear", "gpt-4o", "dear/gpt-4o")
BOUND, TRUTH = Usage(input=10, output=128_000), Usage(input=10, output=5)
LESS = Usage(output=TRUTH.output - BOUND.output)


async def saved(tables: Tables, since: int, until: int, tenant: str = "") -> dict[str, int]:
    _, price = figures.baseline(CONFIGURED) or ("", lambda day: None)
    found = await figures.saved(tables, Asked(since, until, tenant=tenant), price)
    assert found is not None
    return found


@pytest.mark.parametrize("summed", [False, True])
async def test_estimates_save_nothing_until_the_truth_has_come_too(books, summed: bool) -> None:
    day = NOW // days.DAY_MS * days.DAY_MS
    one, other, third = (Account(f"e{n}", "t/u", "t", "u", "", "auto", "chat") for n in range(3))
    late = day + days.DAY_MS - 1
    await books.batch(
        book.final(one, 1, "settled", day, GUESSED, TRUTH, 75_000),
        book.final(other, 1, "estimated", late, GUESSED, BOUND, 9_000_000),
        book.final(third, 1, "estimated", late, GUESSED, BOUND, 9_000_000),
        book.correction(third, 2, late + 1, GUESSED, LESS, 75_000 - 9_000_000),
    )
    if summed:
        await rollups.roll(books, FakeClock(), Pace(1_000))
    for tenant in ("", "t"):
        [first, second, both, none] = [
            await saved(books, since, until, tenant)
            for since, until in (
                (day, late + 1), (late + 1, late + days.DAY_MS), (day, late + days.DAY_MS),
                (late + days.DAY_MS + 1, late + 2 * days.DAY_MS),
            )
        ]  # fmt: skip
        assert first == {"would_cost_nanos": 75_000, "cost_nanos": 75_000, "saved_nanos": 0}
        assert second == none == dict.fromkeys(first, 0)
        assert both == {name: 2 * value for name, value in first.items()}


async def test_a_chat_services_own_count_is_no_bound(books) -> None:
    """It tells tokens alone, which all count as output: an estimate of their price, and what was written."""
    day = NOW // days.DAY_MS * days.DAY_MS
    one = Account("s", "t/u", "t", "u", "", "auto", "chat")
    await books.batch(book.final(one, 1, "estimated", day, GUESSED, Usage(output=50), 500_000))
    found = await saved(books, day, day + days.DAY_MS)
    assert found == {"would_cost_nanos": 500_000, "cost_nanos": 500_000, "saved_nanos": 0}


async def test_monthly_budgets_that_went_furthest(books) -> None:
    since, until = days.span("month", NOW)
    for number in range(MOST + 3):
        held = Held(f"user:month:tokens:u{number:02}", since, until, "tokens", 100, number)
        await books.batch(*budgets.reserve(f"r{number}", [held]))
    daily = Held("user:day:tokens:d", since, since + days.DAY_MS, "tokens", 100, 99)
    before = Held("user:month:tokens:b", since - days.DAY_MS * 30, since, "tokens", 100, 99)
    await books.batch(*budgets.reserve("d", [daily]), *budgets.reserve("b", [before]))
    found = await budgets.of_a_month(books, since, until, MOST)
    assert [one.name for one in found] == [f"u{number:02}" for number in range(MOST + 2, 2, -1)]


async def test_a_report_is_one_process_at_a_time(books) -> None:
    claims = [await duties.claim(books, "2026-10", "", NOW) for _ in range(3)]
    first = claims[0]
    assert first is not None
    assert claims[1:] == [None, None]
    assert await duties.claim(books, "2026-10", "acme", NOW)
    assert not await duties.failed(books, first, "upstream_broken", NOW, last=False)
    assert await duties.claim(books, "2026-10", "", NOW + duties.BACKOFF_MS[0] - 1) is None
    second = await duties.claim(books, "2026-10", "", NOW + duties.BACKOFF_MS[0])
    assert second is not None
    assert second.attempts == 2
    # The first one, long thought gone, says that it failed: that is not the second's affair.
    assert not await duties.failed(books, first, "late", NOW, last=False)
    assert await duties.claim(books, "2026-10", "", NOW + duties.BACKOFF_MS[0] + 1) is None
    await duties.done(books, second, "sent", NOW)
    await duties.done(books, first, "given_up", NOW)
    assert await duties.claim(books, "2026-10", "", NOW + 90 * days.DAY_MS) is None
    states = {row["tenant"]: row["state"] for row in await duties.listed(books)}
    assert states == {None: "sent", "acme": "waiting"}


async def test_both_processes_see_no_row_and_one_makes_the_report(books) -> None:
    note = (duties.sql.NOTE, ("2026-09", "", NOW))
    claim = (duties.sql.CLAIM, (NOW + duties.LEASE_MS, NOW, NOW + duties.AHEAD_MS, "2026-09", ""))
    claimed = [(await books.batch(note, claim))[-1] for _ in range(2)]
    assert [len(rows) for rows in claimed] == [1, 0]
