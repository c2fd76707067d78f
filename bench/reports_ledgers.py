"""Ledgers of a million and of ten million rows, as a gateway would have left them, written in bulk by SQLite itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import apsw

from penstock.ledger import rollups
from penstock.platforms.memory import sqlite
from penstock.platforms.migrations import shipped
from penstock.platforms.world import RealClock
from penstock.ports import Row, Statement, Value

DAYS = 90
DAY_MS = 86_400_000
USERS = 2_000
TENANTS = 200
ROWS_A_REQUEST = 2.2
"""Three of one that is bought, one of the four in ten that the cache answers."""
AT_ONCE = 100_000
SETTINGS = (("journal_mode", "wal"), ("synchronous", "off"), ("cache_size", -300_000), ("temp_store", 2))  # fmt: skip

# Of users a few ask most, of models the small ones answer most; times are spread as e^x, one in a hundred fails.
PICK = """
create temp table picks as
with recursive n(i) as (select ?1 union all select i + 1 from n where i + 1 < ?2),
drawn as (
  select i, abs(random()) % 1000 as u, abs(random()) % 1000 as v, abs(random()) % 100 as m, abs(random()) % 100 as c,
    abs(random()) % 100 as f, abs(random()) % 1000 / 250.0 + abs(random()) % 1000 / 250.0 - 4 as z, abs(random()) % 900 as t
  from n
)
select 'req_' || printf('%012x', i) as id, ?3 + cast((i + 1) * ?4 as integer) as at, u * v * ?5 / 1000000 as sub,
  case when m < 60 then '@cf/ibm-granite/granite-4.0-h-micro' when m < 80 then '@cf/meta/llama-3.1-8b-instruct-fp8-fast'
    when m < 95 then 'gpt-4o-mini' else 'gpt-4o' end as model,
  case when m < 80 then 'cloudflare' else 'openai' end as provider, c < 40 as hit, f < 1 as failed,
  cast(exp(case when c < 40 then 7 else 13 end + 0.8 * z) as integer) as took, 20 + t as input, 10 + t / 2 as output,
  case when c < 40 or m < 80 then 0 else 1000 + t * 1000 end as amount
from drawn
"""
OWNED = f"'t' || (sub % {TENANTS}) || '/u' || sub, 't' || (sub % {TENANTS}), 'u' || sub"
FILL = (
    f"""
insert into ledger (request_id, attempt, stage, at, lease_until, owner, tenant, sub, route, service, amount_nanos)
select id, 0, 'reserve', at, at + 60000, {OWNED}, 'auto', 'chat', amount from picks where not hit
""",
    f"""
insert into ledger (request_id, attempt, stage, at, owner, tenant, sub, provider, model, target, price, input, output)
select id, 1, 'dispatched', at, {OWNED}, provider, model, provider || '/' || model, '1/2', 900, 500 from picks where not hit
""",
    f"""
insert into ledger (request_id, attempt, stage, ended, at, owner, tenant, sub, route, service, provider, model, target,
  input, output, amount_nanos, cache)
select id, not hit, 'final', case when failed and not hit then 'released' else 'settled' end, at, {OWNED}, 'auto', 'chat',
  provider, model, provider || '/' || model, input, output, amount, case when hit then 'hit' else '' end from picks
""",
    f"""
insert into decisions (request_id, at, owner, record)
select id, at, 't' || (sub % {TENANTS}) || '/u' || sub, '{{"request_id":"' || id || '","service":"chat","caller":"0123456789ab",'
  || '"tier":"free","asked":"auto","route":"auto","policy":"heuristic","arm":"auto","reason":"simple","features":{{"tokens":60}},'
  || '"ranks":["' || provider || '/' || model || '"],"cache":"' || case when hit then 'hit' else 'miss' end
  || '","target":"' || provider || '/' || model || '","attempts":1,"reserved_nanos":1000,"status":'
  || case when failed and not hit then '502,"error":"upstream_failed"' else '200' end || ',"total_us":' || took || '}}' from picks
""",
)


class Direct:
    """Tables on one connection with room, for bulk alone."""

    def __init__(self, path: Path) -> None:
        self.connection = apsw.Connection(str(path))
        for name, value in SETTINGS:
            self.connection.pragma(name, value)

    async def rows(self, sql: str, *args: Value) -> Sequence[Row]:
        return sqlite.query(self.connection, sql, args)

    async def batch(self, *statements: Statement) -> Sequence[Sequence[Row]]:
        return sqlite.in_transaction(self.connection, statements)


def build(path: Path, rows: int, now: int) -> tuple[int, float]:
    """So many rows of the 90 days before, and their sums; how many requests, and what summing one took in CPU µs."""
    tables = Direct(path)
    sqlite.migrate(tables.connection, shipped(), 0.0)
    requests = int(rows / ROWS_A_REQUEST)
    step, begins = DAYS * DAY_MS / requests, now - DAYS * DAY_MS
    for start in range(0, requests, AT_ONCE):
        part = (start, min(requests, start + AT_ONCE), begins, step, USERS)
        tables.connection.execute("drop table if exists temp.picks")
        tables.connection.execute(PICK, part)
        tables.connection.execute("begin")
        for statement in FILL:
            tables.connection.execute(statement)
        tables.connection.execute("commit")
    cpu = time.process_time()
    pace = rollups.Pace(rows, seconds=3_600.0)
    asyncio.run(rollups.roll(tables, RealClock(), pace))
    cost = (time.process_time() - cpu) / requests * 1e6
    tables.connection.close()
    return requests, cost
