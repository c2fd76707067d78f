"""Latencies and failures of reports on every Tables: as counted one by one, by any period, group and filter, summed or behind."""

from __future__ import annotations

import random
from itertools import product

from penstock.ledger import days, decisions, rollups
from penstock.ledger.decisions import Decision
from penstock.ledger.reports import figures
from penstock.ledger.reports.figures import Asked, By, Of
from penstock.ledger.reports.latencies import Counts
from penstock.ledger.reports.spans import period
from penstock.ledger.rollups import Pace
from penstock.platforms.memory.world import FakeClock
from penstock.ports import Tables

SINCE = days.parse("2026-10-30T21:00:00Z") or 0
HOURS = 75
PERIODS: tuple[By, ...] = ("", "hour", "day", "month")
GROUPS: tuple[Of, ...] = ("", "service", "provider", "model", "route")
FILTERS: tuple[dict[str, str], ...] = (
    {}, {"service": "embed"}, {"route": "auto"}, {"provider": "openai"}, {"model": "a/b"},
    {"service": "chat", "route": "auto", "provider": "local", "model": "a/b"},
)  # fmt: skip

Ends = list[tuple[int, Decision]]


def drawn(draw: random.Random, number: int) -> Decision:
    status, error = draw.choice(((200, ""), (200, ""), (404, "model_not_found"), (502, "upstream_failed")))  # fmt: skip
    target = draw.choice(("openai/gpt-4o", "openai/a/b", "local/a/b", ""))
    return Decision(
        f"req_{number}", draw.choice(("chat", "embed")), route=draw.choice(("auto", "strong", "")), target=target,
        status=status, error=error, total_us=draw.randrange(1, 5_000_000),
    )  # fmt: skip


def key(asked: Asked, at: int, one: Decision) -> figures.Key | None:
    """The plainest way to say where a request belongs."""
    provider, _, model = one.target.partition("/")
    of = {"service": one.service, "route": one.route, "provider": provider, "model": model}
    for name, value in of.items():
        wanted = getattr(asked, name)
        if wanted and wanted != value:
            return None
    groups = {"model": ("service", "provider", "model"), "route": ("service", "route"), "": ()}
    start = at // days.HOUR_MS * days.HOUR_MS
    return (period(start, asked.by), *(of[name] for name in groups.get(asked.of, (asked.of,))))


async def check(tables: Tables, ends: Ends, asked: Asked) -> None:
    slow: dict[figures.Key, Counts] = {}
    failed: dict[tuple[figures.Key, int, str], int] = {}
    for at, one in ends:
        place = key(asked, at, one)
        if place is None or not asked.since <= at < asked.until:
            continue
        if one.status < 400:
            low = max(bound for bound in rollups.bounds() if bound <= one.total_us)
            counts = slow.setdefault(place, {})
            counts[low] = counts.get(low, 0) + 1
        else:
            failed[place, one.status, one.error] = failed.get((place, one.status, one.error), 0) + 1
    assert await figures.timed(tables, asked, 1) == slow, asked
    told = await figures.failed(tables, asked)
    assert {(place, status, code): many for place, status, code, many in told} == failed, asked
    assert [many for *_, many in told] == sorted(failed.values(), reverse=True)


async def test_they_equal_the_plainest_count(books: Tables) -> None:
    draw = random.Random(1)
    ends: Ends = []
    for share in (0, 1, 0):  # behind the sums, in them, and some of both
        for _ in range(40):
            ends.append((SINCE + draw.randrange(HOURS * days.HOUR_MS), drawn(draw, len(ends))))
        await books.batch(*(decisions.row(one, at, "default/a") for at, one in ends[-40:]))
        if share:
            await rollups.roll(books, FakeClock(), Pace(1_000))
        for of, only in draw.sample(list(product(GROUPS, FILTERS)), 15):
            since = SINCE + draw.randrange(HOURS) * days.HOUR_MS
            until = since + (1 + draw.randrange(HOURS)) * days.HOUR_MS
            await check(books, ends, Asked(since, until, draw.choice(PERIODS), of, **only))
