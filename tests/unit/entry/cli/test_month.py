"""`penstock usage --month`: the same month from a file and from PostgreSQL, told to people and to programs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from penstock.entry.cli import main
from penstock.ledger import book, days, sql
from penstock.ledger.book import Account, Charged
from penstock.platforms.embedded import open_tables
from penstock.platforms.server.tables import ServerTables
from penstock.ports import Statement, Tables
from penstock.wire.chat import Usage
from tests.stores import PostgresServer, RedisServer

NOON = 1_764_590_400_000  # 2025-12-01T12:00:00Z
MANY = 1_100


def rows() -> list[Statement]:
    """1,100 chats on one day, ten of them free; what they bought is kept."""
    whom = Charged("openai", "gpt-4o-mini", "openai/gpt-4o-mini")
    found = [
        book.final(
            Account(f"req_{number}", "default/a", "default", "a", "", "auto", "chat"),
            1, "settled", NOON + number, whom, Usage(input=10, output=5), 1_000_000,
        )
        for number in range(MANY)
    ]  # fmt: skip
    return [*found, (sql.COUNT_CACHE, ("2025-12-01", "embed", 0, 0))]


async def fill(tables: Tables) -> None:
    statements = rows()
    for start in range(0, len(statements), 500):
        await tables.batch(*statements[start : start + 500])


@pytest.fixture
def embedded(home: Path) -> None:
    async def work() -> None:
        async with open_tables(".penstock") as tables:
            await fill(tables)

    asyncio.run(work())


@pytest.fixture
def server(home: Path, postgres_server: PostgresServer, redis_server: RedisServer) -> None:
    dsn = postgres_server.database()
    (home / "penstock.toml").write_text(
        f'platform = "server"\n[stores]\npostgres = "{dsn}"\nredis = "{redis_server.url}"\n'
    )
    assert main(["migrate", "up"]) == 0

    async def work() -> None:
        tables = ServerTables(dsn)
        try:
            await fill(tables)
        finally:
            await tables.close()

    asyncio.run(work())


@pytest.mark.parametrize("ledger", ["embedded", "server"])
def test_a_month_from_each_ledger(ledger: str, request, capsys) -> None:
    request.getfixturevalue(ledger)
    capsys.readouterr()
    assert main(["usage", "--month", "2025-12", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["requests"] == {
        "chat": MANY, "chat_cached": 0, "embedding": 0, "embedding_cached": 0,
    }  # fmt: skip
    assert found["models"]["cost_usd"] == "1.1"
    assert (found["paid"]["cost_usd"], found["days"]) == ("5", {"begun": 31, "of": 31})
    first = found["free"]["lines"][0]
    assert (first["name"], first["used"], first["left"]) == ("kv_writes", MANY, 1_000 - MANY)
    assert found["free"]["suffices"] is False
    ends = {end["name"]: end["number"] for end in found["free"]["requests_a_day"]}
    assert (ends["kv_writes"], ends["object_rows_written"]) == (1_000, 100_000 // 2)


def test_a_month_for_people(embedded: None, capsys) -> None:
    assert main(["usage", "--month", "2025-12"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("2025-12, day 31 of 31 (UTC)\n")
    assert "models: 1.1 USD so far, by the ledger\n" in said
    assert "paid plan: 5 USD a month, 5 of it for the plan\n" in said
    assert "free plan: does not suffice\n" in said
    assert "above 1000 such requests a day: Workers KV: writes: the cache takes nothing new" in said


def test_a_month_in_which_nothing_was_asked_is_told_by_bought_chats(home: Path, capsys) -> None:
    assert main(["usage", "--month", "--json"]) == 0
    free = json.loads(capsys.readouterr().out)["free"]
    assert free["suffices"] is True
    assert free["requests_a_day"][0] == {
        "number": 1_000,
        "name": "kv_writes",
        "what": "Workers KV: writes",
        "at_its_end": "the cache takes nothing new in",
    }


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--month", "2025-13"], "no month"),
        (["--month", "December"], "no month"),
        (["--month", "2999-01"], "has not begun"),
        (["--month", "2025-12", "--from", "2025-12-02"], "a span of its own"),
        (["--month", "--budgets"], "a span of its own"),
    ],
)
def test_what_is_no_month_is_misuse(words: list[str], wanted: str, home: Path, capsys) -> None:
    assert main(["usage", *words]) == 2
    assert wanted in capsys.readouterr().err


@pytest.mark.parametrize(("day", "known"), [("2026-06-01", True), ("2026-05-01", False)])
def test_neurons_are_told_and_stand_under_models(day: str, known: bool, home: Path, capsys) -> None:
    model = "@cf/meta/llama-3.1-8b-instruct-fp8-fast"
    whom = Charged("cloudflare", model, f"cloudflare/{model}")
    row = book.final(
        Account("req_1", "default/a", "default", "a", "", "auto", "chat"),
        1, "settled", days.parse(day) or 0, whom, Usage(output=30_000_000), 11_000_000_000,
    )  # fmt: skip

    async def work() -> None:
        async with open_tables(".penstock") as tables:
            await tables.batch(row)

    asyncio.run(work())
    assert main(["usage", "--month", day[:7], "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    lines = {line["name"]: line for line in found["paid"]["lines"]}
    # 34,868 neurons a million tokens; before the table's first price nothing is known of them.
    assert ("neurons" in lines) is known
    if known:
        assert (lines["neurons"]["used"], lines["neurons"]["beyond"]) == (1_046_040, 1_036_040)
    assert (found["models"]["cost_usd"], found["paid"]["cost_usd"]) == ("11", "5")
