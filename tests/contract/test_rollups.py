"""The roll-ups on every Tables: exact in any order of rows, crashes and passes in between; reports read them and what is behind."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from contextlib import suppress

import asyncpg
import pytest

from penstock.errors import Conflict, Unheard
from penstock.ledger import book, days, decisions, logins, reports, rollups, sql
from penstock.ledger.book import Account, Charged
from penstock.ledger.decisions import Decision
from penstock.ledger.logins import Whence
from penstock.ledger.rollups import Pace
from penstock.platforms.memory.world import FakeClock
from penstock.platforms.migrations import shipped
from penstock.platforms.server import schema
from penstock.platforms.server.tables import ServerTables
from penstock.ports import Row, Statement, Tables, Value
from penstock.wire.chat import Usage
from tests.contract import servers

NOW = 1_800_000_000_000
HOURS = 60
MODELS = ("gpt-4o", "gpt-4o-mini", "granite")
OWNERS = (("default", "a"), ("default", "b"), ("acme", "a"), ("a/c%", "é"))


class Breaking:
    """Tables whose batches fail now and then: before they are written, or after, so that nobody hears of it."""

    def __init__(self, tables: Tables, draw: random.Random) -> None:
        self.tables, self.draw = tables, draw

    async def rows(self, sql: str, *args: Value) -> Sequence[Row]:
        return await self.tables.rows(sql, *args)

    async def batch(self, *statements: Statement) -> Sequence[Sequence[Row]]:
        fate = self.draw.random()
        if fate < 0.2:
            raise Unheard()
        done = await self.tables.batch(*statements)
        if fate < 0.4:
            raise Unheard()
        return done


class Passing(FakeClock):
    """Time that passes by itself for whoever waits."""

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)


class Told:
    """What was written, added up in the plainest way."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.rows: list[tuple[int, Account, str, Usage, int, str, bool]] = []
        self.made: list[tuple[Account, int, Charged]] = []
        self.ends: list[Decision] = []
        self.number = 0

    def some(self) -> list[Statement]:
        return [statement for _ in range(self.draw.randrange(1, 6)) for statement in self._one()]

    def _one(self) -> list[Statement]:
        draw = self.draw
        at = NOW + draw.randrange(HOURS * days.HOUR_MS)
        used = Usage(
            input=draw.randrange(100), cached_input=draw.randrange(9), output=draw.randrange(50)
        )
        fate = draw.random()
        if fate < 0.15 and self.made:
            whose, number, what = draw.choice(self.made)
            less = Usage(input=-draw.randrange(5), output=-draw.randrange(5))
            self.made.remove((whose, number, what))
            self.made.append((whose, number + 1, what))
            return [self._row(book.correction(whose, number, at, what, less, -3), at, whose, what, less, -3, "", False)]  # fmt: skip
        self.number += 1
        tenant, sub = draw.choice(OWNERS)
        owner = f"{tenant.replace('%', '%25').replace('/', '%2F')}/{sub}"
        whose = Account(
            f"req_{self.number}", owner, tenant, sub, "", draw.choice(("auto", "strong")), "chat"
        )
        model = draw.choice(MODELS)
        what = Charged("openai", model, f"openai/{model}")
        amount = draw.choice((0, 10, draw.randrange(1_000_000)))
        decided = Decision(whose.request_id, "chat", route=whose.route, target=what.target, status=200, total_us=draw.randrange(1, 5_000_000))  # fmt: skip
        if fate < 0.3:
            decided.status, decided.error = draw.choice(
                ((502, "upstream_failed"), (429, "insufficient_quota"))
            )
        self.ends.append(decided)
        told: list[Statement] = [
            decisions.row(decided, at, owner),
            book.reserve(whose, at, at, amount),
        ]
        if fate < 0.3:
            return [*told, book.final(whose, 0, "released", at, Charged(), Usage(), 0)]
        cache = "hit" if fate > 0.8 else ""
        if cache:
            amount = 0
        else:
            self.made.append((whose, 1, what))
        if fate < 0.4:
            whose = book.part(whose, 1)
        return [*told, self._row(book.final(whose, 1, "settled", at, what, used, amount, cache), at, whose, what, used, amount, cache, "." not in whose.request_id)]  # fmt: skip

    def _row(self, row: Statement, at, whose, what, used, amount, cache, whole) -> Statement:
        self.rows.append((at, whose, what.model, used, amount, cache, whole))
        return row

    def sums(self, key, since: int = NOW, until: int = NOW + HOURS * days.HOUR_MS):
        """requests, cached, tokens and cost by a key."""
        found: dict[object, list[int]] = {}
        for at, whose, model, used, amount, cache, whole in self.rows:
            if since <= at < until:
                sums = found.setdefault(key(at, whose, model), [0, 0, 0, 0])
                sums[0] += whole
                sums[1] += whole and cache == "hit"
                sums[2] += 0 if cache else used.input + used.cached_input + used.output
                sums[3] += amount
        return {name: tuple(sums) for name, sums in found.items()}


async def summed(tables: Tables, keys: str, table: str, cached: str, tokens: str) -> dict:
    names = f"{keys}, cast(sum(requests) as bigint), cast(sum({cached}) as bigint), cast(sum({tokens}) as bigint)"
    rows = await tables.rows(
        f"select {names}, cast(sum(amount_nanos) as bigint) from {table} group by {keys}"
    )
    return {row[:-4] if len(row) > 5 else row[0]: row[-4:] for row in rows}


CACHED = "case when cache = 'hit' then requests else 0 end"
TOKENS = "case when cache = 'hit' then 0 else input + cached_input + cache_write + output end"


async def pass_over(tables: Tables, draw: random.Random) -> None:
    with suppress(Unheard):
        await rollups.roll(
            tables, FakeClock(), Pace(draw.choice((1, 7, 1_000)), draw.choice((1, 20)))
        )


@pytest.mark.parametrize("seed", range(3))
async def test_sums_equal_the_plainest_addition_whatever_breaks_in_between(books, seed) -> None:
    draw = random.Random(seed)
    told = Told(draw)
    breaking = Breaking(books, draw)
    for _ in range(12):
        await books.batch(*told.some())
        if draw.random() < 0.4:
            await pass_over(breaking, draw)
        if draw.random() < 0.2:
            await check_usage(books, told, draw)
        if draw.random() < 0.05:
            await rollups.rebuild(books)
    await check_usage(books, told, draw)
    await rollups.roll(books, FakeClock(), Pace(1_000))
    await check_usage(books, told, draw)
    hour = lambda at: at // days.HOUR_MS * days.HOUR_MS  # noqa: E731 - it has no other name
    by_hour = told.sums(lambda at, whose, model: (hour(at), model))
    assert await summed(books, "hour, model", "usage_hours", CACHED, TOKENS) == by_hour
    by_owner = told.sums(lambda at, whose, model: (whose.owner, hour(at), model))
    assert await summed(books, "owner, hour, model", "usage_owners", CACHED, TOKENS) == by_owner
    by_user = told.sums(lambda at, whose, model: whose.owner)
    users = "usage_dimensions where dimension = 'user'"
    assert await summed(books, "value", users, "cached", "tokens") == by_user
    for span in ("hour", "day"):
        rows = await books.rows(
            "select route, target, status, error, low, cast(sum(number) as bigint) from outcomes"
            " where span = $1 group by route, target, status, error, low", span
        )  # fmt: skip
        ends: dict[tuple[object, ...], int] = {}
        for one in told.ends:
            low = max(bound for bound in rollups.bounds() if bound <= one.total_us)
            key = (one.route, one.target, one.status, one.error, low)
            ends[key] = ends.get(key, 0) + 1
        assert {row[:-1]: row[-1] for row in rows} == ends


async def check_usage(tables: Tables, told: Told, draw: random.Random) -> None:
    """Any span, to the millisecond, of all and of one owner."""
    since = NOW + draw.randrange(HOURS * days.HOUR_MS)
    until = since + 1 + draw.randrange(HOURS * days.HOUR_MS)
    found = await reports.usage(tables, owner=None, since=since, until=until, by="model")
    plain = told.sums(lambda at, whose, model: model, since, until)
    assert _figures(found["rows"], "model") == plain
    found = await reports.usage(tables, owner=None, since=since, until=until, by="user")
    assert _figures(found["rows"], "user") == told.sums(lambda at, whose, model: whose.sub, since, until)  # fmt: skip
    owner = "a%2Fc%25/é"
    found = await reports.usage(tables, owner=owner, since=since, until=until, by="hour")
    own = told.sums(lambda at, whose, model: model if whose.owner == owner else None, since, until)
    own.pop(None, None)
    sums: dict[str, tuple[int, ...]] = {}
    for row in found["rows"]:
        before = sums.get(row["model"], (0, 0, 0, 0))
        sums[row["model"]] = tuple(map(sum, zip(before, _row(row), strict=True)))
    assert sums == own


def _figures(rows, key):
    return {row[key]: _row(row) for row in rows}


def _row(row) -> tuple[int, ...]:
    return (row["requests"], row["cached"], row["tokens"], row["cost_nanos"])


async def test_two_passes_at_once_count_once(books) -> None:
    told = Told(random.Random(7))
    for _ in range(10):
        await books.batch(*told.some())
    first = await books.rows("select seq from last_rows where name = 'ledger'")
    step = rollups.LEDGER
    await rollups._step(books, step, first[0][0], Pace(1_000))
    with pytest.raises(Conflict) as refused:
        # As one that had read the mark before the other moved it.
        await books.batch((rollups.sql.MOVE, ("ledger", first[0][0], 0)), (step.stage, (0, first[0][0])))  # fmt: skip
    assert refused.value.name == rollups.MOVED
    await check_usage(books, told, random.Random(1))


async def test_rows_numbered_anew_are_summed_anew(books) -> None:
    told = Told(random.Random(3))
    await books.batch(*told.some())
    await rollups.roll(books, FakeClock(), Pace(1_000))
    await books.batch(("update rollup_marks set seq = 1000000", ()))
    await rollups.roll(books, FakeClock(), Pace(1_000))
    assert await books.rows(
        "select seq from rollup_marks where name = 'ledger'"
    ) == await books.rows("select seq from last_rows where name = 'ledger'")
    await check_usage(books, told, random.Random(1))


async def test_bounds_are_those_of_the_tables(books) -> None:
    stood = [low for (low,) in await books.rows("select low from latency_bounds order by low")]
    assert stood == list(rollups.bounds())


async def test_a_record_of_any_letters_is_summed(books) -> None:
    odd = {"service": "chat", "asked": "\x00\ud7ff", "route": "a'\"\\", "total_us": 10}
    await books.batch(
        ("insert into decisions (request_id, at, owner, record) values ($1, $2, $3, $4)",
         ("r", NOW, "o", json.dumps(odd)))
    )  # fmt: skip
    await rollups.roll(books, FakeClock(), Pace(1_000))
    rows = await books.rows("select route, low, number from outcomes where span = 'day'")
    assert list(rows) == [("a'\"\\", 10, 1)]


async def test_the_first_designs_views(books) -> None:
    at = days.parse("2026-03-01T10:00:00.250") or 0
    whose = Account("req_1", "default/u2", "default", "u2", "", "auto", "chat")
    what = Charged("cloudflare", "m", "cloudflare/m")
    used = Usage(input=3, output=4)
    await books.batch(
        book.final(whose, 1, "settled", at, what, used, 250_000_000),
        book.correction(whose, 1, at + days.DAY_MS, what, Usage(output=-1), -50_000_000),
        logins.login("a@b.test", Whence("l", at, "::1", "NZ"), success=True),
        logins.registration("u2", "a@b.test", Whence("r", at, "::1", "NZ", "https://c.test/")),
        (sql.COUNT_CACHE, ("2026-03-01", "chat", 5, 6)),
        ("insert into first_usage_tracking (id, user_id, cost) values ('0', 'u1', 1.5)", ()),
        ("insert into first_cache_stats (service, hits, misses, date) values ('chat', 1, 2, '2025-12-31')", ()),
    )  # fmt: skip

    async def told(view: str, columns: str) -> list[Row]:
        return sorted(map(tuple, await books.rows(f"select {columns} from {view}")))

    for _ in range(2):
        assert await told("usage_tracking", "id, user_id, coalesce(tokens, 0), cast(cost as double precision), timestamp") == [
            ("0", "u1", 0, 1.5, None),
            ("req_1", "u2", 7, 0.25, "2026-03-01T10:00:00.250Z"),
            ("req_1#1", "u2", -1, -0.05, "2026-03-02T10:00:00.250Z"),
        ]  # fmt: skip
        assert await told("cost_summary", "date, cast(total_cost as double precision), cast(cloudflare_cost as double precision), cast(openai_cost as double precision), total_requests") == [
            ("2026-03-01", 0.25, 0.25, 0.0, 1),
            ("2026-03-02", -0.05, -0.05, 0.0, 0),
        ]  # fmt: skip
        await rollups.roll(books, FakeClock(), Pace(1_000))
    assert await told("cache_stats", "service, hits, misses, date") == [
        ("chat", 1, 2, "2025-12-31"), ("chat", 5, 6, "2026-03-01")
    ]  # fmt: skip
    stamp = "2026-03-01T10:00:00.250Z"
    assert await told("login_attempts", "email, success, ip, country, timestamp") == [("a@b.test", 1, "::1", "NZ", stamp)]  # fmt: skip
    assert await told("user_registrations", "user_id, email, country, referrer, timestamp") == [("u2", "a@b.test", "NZ", "https://c.test/", stamp)]  # fmt: skip


async def test_a_row_that_is_seen_late_is_summed_all_the_same(postgres_server) -> None:
    """Of two that write at once the first to get a number may be the last to be seen."""
    dsn = postgres_server.database()
    await schema.migrate(dsn, shipped("postgres"), 0.0)
    tables = ServerTables(dsn, servers.PATIENCE_SECONDS)
    slow = await asyncpg.connect(dsn)
    told = Told(random.Random(5))
    try:
        held = slow.transaction()
        await held.start()
        for sql, args in told.some():
            await slow.execute(sql, *args)
        await tables.batch(*told.some())
        await rollups.roll(tables, Passing(), Pace(1_000))
        assert not await tables.rows("select name from rollup_marks")
        await held.commit()
        await rollups.roll(tables, Passing(), Pace(1_000))
        summed = await tables.rows("select name, seq from rollup_marks order by name")
        assert summed == await tables.rows("select name, seq from last_rows order by name")
        await check_usage(tables, told, random.Random(1))
    finally:
        await slow.close()
        await tables.close()
