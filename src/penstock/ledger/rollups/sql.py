"""The SQL of the roll-ups, in the subset that SQLite, D1 and PostgreSQL share."""

from __future__ import annotations

MEASURES = ("requests", "free", "estimated", "input", "cached_input", "cache_write", "output", "amount_nanos")  # fmt: skip
"""What is summed of a ledger's rows."""
DIMENSIONED = ("requests", "cached", "free", "estimated", "tokens", "amount_nanos")
"""What is summed by a dimension of many values."""

HOUR = "cast(at / 3600000 as bigint) * 3600000"
ENDED = "stage in ('final', 'correction') and ended <> 'released'"
# A call of a request that made several is a part of it, and so is a correction.
_WHOLE = "stage = 'final' and not request_id like '%.%'"
OF_A_ROW = f"""
  case when {_WHOLE} then 1 else 0 end as requests,
  case when {_WHOLE} and cache = '' and amount_nanos = 0 then 1 else 0 end as free,
  case when {_WHOLE} and ended = 'estimated' then 1 else 0 end as estimated,
  input, cached_input, cache_write, output, amount_nanos
"""
TOKENS = "case when cache = 'hit' then 0 else input + cached_input + cache_write + output end"
CACHED = "case when cache = 'hit' then requests else 0 end"

MARK = "select seq from rollup_marks where name = $1"
LAST = "select seq from last_rows where name = $1"
TICKET = "select ticket from writers"
OLDEST = "select oldest from writers"

# From where it was read, or the constraint `rollup_marks_moved` refuses the whole batch.
MOVE = """
insert into rollup_marks (name, seq) values ($1, $2)
on conflict (name) do update set seq = case when rollup_marks.seq = $3 then excluded.seq else -1 end
"""


def _sums(names: tuple[str, ...]) -> str:
    return ", ".join(f"cast(sum({name}) as bigint)" for name in names)


def _added(table: str, names: tuple[str, ...]) -> str:
    return ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in names)


_NAMES = "service, route, provider, model, cache"
_MEASURED = ", ".join(MEASURES)

STAGE_USAGE = f"""
insert into rollup_usage (hour, tenant, owner, {_NAMES}, {_MEASURED})
select hour, tenant, owner, {_NAMES}, {_sums(MEASURES)} from (
  select {HOUR} as hour, tenant, owner, {_NAMES}, {OF_A_ROW}
  from ledger_rows where seq > $1 and seq <= $2 and {ENDED}
) told
group by hour, tenant, owner, {_NAMES}
"""

ADD_HOURS = f"""
insert into usage_hours (hour, {_NAMES}, {_MEASURED})
select hour, {_NAMES}, {_sums(MEASURES)} from rollup_usage where true group by hour, {_NAMES}
on conflict (hour, {_NAMES}) do update set {_added("usage_hours", MEASURES)}
"""

ADD_OWNERS = f"""
insert into usage_owners (tenant, owner, hour, {_NAMES}, {_MEASURED})
select tenant, owner, hour, {_NAMES}, {_sums(MEASURES)} from rollup_usage where true
group by tenant, owner, hour, {_NAMES}
on conflict (tenant, owner, hour, {_NAMES}) do update set {_added("usage_owners", MEASURES)}
"""


def _add_dimension(name: str, value: str) -> str:
    """One more dimension of many values is one more of these."""
    return f"""
insert into usage_dimensions (dimension, day, value, {", ".join(DIMENSIONED)})
select '{name}', day, value, {_sums(DIMENSIONED)} from (
  select cast(hour / 86400000 as bigint) * 86400000 as day, {value} as value,
    requests, {CACHED} as cached, free, estimated, {TOKENS} as tokens, amount_nanos
  from rollup_usage
) told
where true group by day, value
on conflict (dimension, day, value) do update set {_added("usage_dimensions", DIMENSIONED)}
"""


ADD_USERS = _add_dimension("user", "owner")
ADD_TENANTS = _add_dimension("tenant", "tenant")
CLEAR_USAGE = "delete from rollup_usage"

# None is below 0, and bounds begin there.
LOW = "coalesce((select max(low) from latency_bounds where low <= total_us), 0)"
STAGE_OUTCOMES = f"""
insert into rollup_outcomes (hour, kind, low, number)
select hour, kind, low, count(*) from (
  select {HOUR} as hour, kind, {LOW} as low from decision_rows where seq > $1 and seq <= $2
) told
group by hour, kind, low
"""


def _add_outcomes(span: str, milliseconds: int) -> str:
    starts = f"cast(hour / {milliseconds} as bigint) * {milliseconds}"
    names = "service, route, target, cache, status, error, low"
    return f"""
insert into outcomes (span, starts, {names}, number)
select '{span}', {starts}, {names}, cast(sum(number) as bigint) from rollup_outcomes_told where true
group by {starts}, {names}
on conflict (span, starts, {names}) do update set number = outcomes.number + excluded.number
"""


ADD_OUTCOMES_HOURS = _add_outcomes("hour", 3_600_000)
ADD_OUTCOMES_DAYS = _add_outcomes("day", 86_400_000)
CLEAR_OUTCOMES = "delete from rollup_outcomes"

FORGET_USAGE = (
    "delete from usage_hours",
    "delete from usage_owners",
    "delete from usage_dimensions",
    CLEAR_USAGE,
)
FORGET_OUTCOMES = ("delete from outcomes", CLEAR_OUTCOMES)
