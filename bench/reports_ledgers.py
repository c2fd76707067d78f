"""Ledgers of a million and of ten million rows, written in bulk as a gateway would have left them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import msgspec

from penstock.ledger import rollups, sql
from penstock.ledger.decisions import Decision
from penstock.platforms.embedded.tables import EmbeddedTables
from penstock.platforms.memory import sqlite
from penstock.platforms.migrations import shipped
from penstock.platforms.world import RealClock

NOW = 1_800_000_000_000
"""When the last request was; the first was DAYS before."""
DAYS = 90
USERS = 10_000
TENANTS = 200
MODELS = (
    ("cloudflare", "@cf/ibm-granite/granite-4.0-h-micro"),
    ("cloudflare", "@cf/meta/llama-3.1-8b-instruct-fp8-fast"),
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-4o"),
)
STEPS = 3
"""Rows of a bought request: reserve, dispatched, final."""
AT_ONCE = 5_000
ROLL_CHUNK = 60_000
_encode = msgspec.json.Encoder().encode


def build(path: Path, rows: int) -> None:
    """A ledger of so many rows: requests over 90 days, four in ten of them from the cache, by users of whom few ask most."""
    connection = apsw.Connection(str(path))
    for name, value in (("journal_mode", "wal"), ("synchronous", "off"), ("cache_size", -200_000)):
        connection.pragma(name, value)
    sqlite.migrate(connection, shipped(), 0.0)
    made = 0
    requests = _requests(rows)
    while made < rows:
        connection.execute("begin")
        groups: dict[str, list[tuple[Any, ...]]] = {}
        for _ in range(AT_ONCE):
            for statement, args in next(requests, ()):
                groups.setdefault(statement, []).append(args)
                made += statement != sql.DECISION
        for statement, args in groups.items():
            sqlite.insert(connection, statement, args)
        connection.execute("commit")
        if not groups:
            break
    connection.close()


def _requests(rows: int) -> Iterator[list[tuple[str, tuple[Any, ...]]]]:
    draw = random.Random(1)
    count = int(rows / (0.6 * STEPS + 0.4))
    step = DAYS * 86_400_000 / count
    for number in range(count + AT_ONCE):
        at = min(NOW - 1, NOW - DAYS * 86_400_000 + int(number * step))
        user = int(USERS * draw.random() ** 3)
        tenant = f"t{user % TENANTS}"
        yield _request(draw, f"req_{number:012x}", at, tenant, f"u{user}")


def _request(
    draw: random.Random, name: str, at: int, tenant: str, sub: str
) -> list[tuple[str, tuple[Any, ...]]]:
    owner = f"{tenant}/{sub}"
    provider, model = MODELS[min(3, int(draw.expovariate(1.2)))]
    target, hit = f"{provider}/{model}", draw.random() < 0.4
    took = int(draw.lognormvariate(7 if hit else 13, 0.8))
    failed = draw.random() < 0.01
    decision = Decision(
        name, "chat", sub, "free", "auto", "auto", "heuristic", "auto", "simple", {"tokens": 60, "messages": 2},
        (target,), "hit" if hit else "miss", name * 4, target, 1, "", 1_000, 500, 502 if failed else 200,
        "upstream_failed" if failed else "", took,
    )  # fmt: skip
    found: list[tuple[str, tuple[Any, ...]]] = [
        (sql.DECISION, (name, at, owner, _encode(decision).decode()))
    ]
    used = (draw.randrange(20, 900), 0, 0, draw.randrange(10, 500), 0)
    amount = 0 if hit or provider == "cloudflare" else draw.randrange(1_000, 9_000_000)
    what = (provider, model, target)
    if not hit:
        found.append(
            (sql.RESERVE, (name, at, at + 60_000, owner, tenant, sub, "", "auto", "chat", amount))
        )
        found.append((sql.DISPATCHED, (name, 1, at, owner, *what, "1/2", 900, 500)))
    ended = "released" if failed else "settled"
    found.append((
        sql.FINAL,
        (name, 0 if hit else 1, ended, at, owner, tenant, sub, "", "auto", "chat", *what, *used, amount, "hit" if hit else ""),
    ))  # fmt: skip
    return found


def rolled(path: Path) -> tuple[int, float, float]:
    """Sums all of it: requests, CPU seconds of this process, and the seconds that took."""

    async def work() -> tuple[int, float, float]:
        tables = EmbeddedTables(path, shipped(), 0.0)
        try:
            begun, cpu = time.perf_counter(), time.process_time()
            pace = rollups.Pace(ROLL_CHUNK, seconds=3_600.0)
            await rollups.roll(tables, RealClock(), pace)
            spent = time.process_time() - cpu, time.perf_counter() - begun
            [(requests,)] = await tables.rows("select count(*) from decisions")
            return requests, *spent
        finally:
            await tables.close()

    return asyncio.run(work())
