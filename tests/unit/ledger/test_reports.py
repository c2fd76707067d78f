"""Usage reports: what was settled or estimated, by period and key; an owner sees its own."""

from __future__ import annotations

import pytest

from penstock.errors import BadRequest
from penstock.ledger import book, days, reports
from penstock.ledger.book import Account, Charged
from penstock.platforms import memory
from penstock.platforms.memory import MemoryPlatform
from penstock.wire.chat import Usage

DAY = days.parse("2026-11-23") or 0
CHEAP, DEAR = (
    Charged("openai", "gpt-4o-mini", "openai/gpt-4o-mini"),
    Charged("openai", "gpt-4o", "openai/gpt-4o"),
)


def account(number: int, sub: str, route: str = "auto") -> Account:
    return Account(f"req_{number}", f"default/{sub}", "default", sub, "", route, "chat")


@pytest.fixture
async def platform() -> MemoryPlatform:
    platform = memory.platform()
    used = Usage(input=10, output=5)
    await platform.tables.batch(
        book.reserve(account(1, "a"), DAY, DAY, 999),
        book.final(account(1, "a"), 1, "settled", DAY + 1, CHEAP, used, 100),
        book.final(account(2, "a"), 1, "estimated", DAY + reports.HOUR_MS, DEAR, used, 1_000),
        book.final(account(3, "b"), 1, "settled", DAY + 2, CHEAP, used, 10),
        book.final(account(4, "a"), 0, "settled", DAY + 3, CHEAP, used, 0, "hit"),
        book.final(account(5, "a"), 0, "released", DAY + 3, Charged(), Usage(), 0),
        book.final(account(6, "a"), 1, "settled", DAY + days.DAY_MS, CHEAP, used, 7),
    )
    return platform


async def report(
    platform: MemoryPlatform, by: str, owner: str | None = "default/a"
) -> list[tuple[object, ...]]:
    found = await reports.usage(
        platform.tables, owner=owner, since=DAY, until=DAY + days.DAY_MS, by=by
    )
    return [
        (
            row["period"],
            row["model"],
            row["requests"],
            row["tokens"],
            row["cost_nanos"],
            row["cached"],
        )
        for row in found["rows"]
    ]


async def test_by_day_and_model(platform: MemoryPlatform) -> None:
    assert await report(platform, "day") == [
        ("2026-11-23", "gpt-4o", 1, 15, 1_000, 0),
        ("2026-11-23", "gpt-4o-mini", 2, 15, 100, 1),
    ]


async def test_by_hour(platform: MemoryPlatform) -> None:
    assert [row[0] for row in await report(platform, "hour")] == [
        "2026-11-23T00:00Z",
        "2026-11-23T01:00Z",
    ]


async def test_by_service_sums_all(platform: MemoryPlatform) -> None:
    assert await report(platform, "service") == [("", "", 3, 30, 1_100, 1)]


async def test_an_admin_sees_all_and_by_user(platform: MemoryPlatform) -> None:
    found = await reports.usage(
        platform.tables, owner=None, since=DAY, until=DAY + days.DAY_MS, by="user"
    )
    assert [(row["user"], row["cost_nanos"]) for row in found["rows"]] == [("a", 1_100), ("b", 10)]
    assert found["totals"] == {"requests": 4, "tokens": 45, "cost_nanos": 1_110, "cached": 1}


async def test_another_key_is_refused(platform: MemoryPlatform) -> None:
    with pytest.raises(BadRequest):
        await report(platform, "color; drop table ledger")
