"""The budgets' statements on every Tables: the check decides, all or nothing, however many ask at once."""

from __future__ import annotations

import asyncio

import pytest

from penstock.errors import Conflict
from penstock.ledger import book, budgets
from penstock.ledger.book import Account, Charged
from penstock.ledger.budgets import Held
from penstock.platforms.migrations import shipped
from penstock.ports import Tables
from penstock.wire.chat import Usage

FAR = 4_000_000_000_000


@pytest.fixture
async def books(tables: Tables) -> Tables:
    """The tables with the ledger and the budgets in them."""
    for step in shipped():
        if step.name in ("ledger", "budgets"):
            plain = "\n".join(line for line in step.sql.split("\n") if not line.startswith("--"))
            for statement in plain.split(";"):
                if statement.strip():
                    await tables.batch((statement, ()))
    return tables


def account(number: int) -> Account:
    return Account(f"req_{number:03}", "default/u", "default", "u", "", "auto", "chat")


def parts(amount: int, cap: int = 100) -> tuple[Held, ...]:
    return (
        Held("user:day:nanos:u", 0, FAR, "nanos", cap, amount),
        Held("route:day:tokens:auto", 0, FAR, "tokens", 1_000, amount),
    )


async def reserve(tables: Tables, number: int, held: tuple[Held, ...]) -> bool:
    of = account(number)
    try:
        await tables.batch(
            *budgets.reserve(of.request_id, held), book.reserve(of, 1, 2, held[0].amount)
        )
    except Conflict as denied:
        if denied.name != budgets.CAP:
            raise
        return False
    return True


async def settle(tables: Tables, number: int, amount: int, attempt: int = 1) -> None:
    of, usage = account(number), Usage(input=amount, output=1)
    final = book.final(of, attempt, "settled", 3, Charged("p", "m", "p/m"), usage, amount)
    keys = [one.key for one in parts(0)]
    await tables.batch(final, *budgets.settle(of.request_id, keys, keep=False))


async def standing(tables: Tables) -> dict[str, tuple[int, int]]:
    return {one.per: (one.reserved, one.spent) for one in await budgets.current(tables, 5)}


async def test_a_denied_reserve_writes_nothing(books: Tables) -> None:
    assert await reserve(books, 1, parts(60))
    assert not await reserve(books, 2, parts(41))
    assert not await reserve(books, 3, parts(101))
    assert await standing(books) == {"user": (60, 0), "route": (60, 0)}
    for table in ("ledger", "budget_holds"):
        rows = await books.rows(f"select distinct request_id from {table}")
        assert list(rows) == [("req_001",)]
    assert await reserve(books, 4, parts(40))


async def test_at_once_no_more_are_let_through_than_fit_and_no_fewer(books: Tables) -> None:
    took = await asyncio.gather(*(reserve(books, number, parts(10)) for number in range(50)))
    assert sum(took) == 10
    assert await standing(books) == {"user": (100, 0), "route": (100, 0)}
    await asyncio.gather(*(settle(books, n, 9) for n, let in enumerate(took) if let))
    assert await standing(books) == {"user": (0, 90), "route": (0, 100)}
    assert list(await books.rows("select request_id from budget_holds")) == []
    assert await reserve(books, 99, parts(10))


async def test_ending_twice_moves_nothing_twice(books: Tables) -> None:
    assert await reserve(books, 1, parts(60))
    await settle(books, 1, 20)
    with pytest.raises(Conflict):
        await settle(books, 1, 20)
    await settle(books, 1, 20, attempt=2)
    assert await standing(books) == {"user": (0, 20), "route": (0, 21)}


async def test_more_than_the_cap_is_counted_and_the_next_is_denied(books: Tables) -> None:
    assert await reserve(books, 1, parts(60))
    assert await reserve(books, 2, parts(40))
    await settle(books, 1, 90)
    assert await standing(books) == {"user": (40, 90), "route": (40, 91)}
    assert not await reserve(books, 3, parts(0))
    await settle(books, 2, 1)
    assert await reserve(books, 4, parts(9))
    assert not await reserve(books, 5, parts(1))


async def test_a_cap_may_change(books: Tables) -> None:
    assert await reserve(books, 1, parts(60))
    assert not await reserve(books, 2, parts(1, cap=50))
    await settle(books, 1, 55)
    assert not await reserve(books, 3, parts(1, cap=50))
    assert await reserve(books, 4, parts(100, cap=155))


async def test_a_correction_reaches_the_budgets_of_an_estimate(books: Tables) -> None:
    assert await reserve(books, 1, parts(60))
    keys = await budgets.held(books, "req_001")
    assert [name for name, _ in keys] == ["route:day:tokens:auto", "user:day:nanos:u"]
    usage = Usage(input=60, estimated=True)
    final = book.final(account(1), 1, "estimated", 3, Charged(), usage, 60)
    await books.batch(final, *budgets.settle("req_001", keys, keep=True))
    assert await budgets.held(books, "req_001") == []
    await books.batch(*budgets.correct("req_001", -30, -40))
    assert await standing(books) == {"user": (0, 30), "route": (0, 20)}
