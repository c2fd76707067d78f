"""The SQL of reports, in the subset that SQLite, D1 and PostgreSQL share: sums, and what is not in them yet, in one statement.

`$1` is the length of a period in ms. What lies in whole hours is read from the sums and behind their mark; the rest of a span,
its ragged ends, from the ledger itself. Callers choose among these statements and fill in values: no word of theirs is in one.
"""

from __future__ import annotations

from typing import Literal

from penstock.ledger.rollups.sql import CACHED, ENDED, HOUR, LOW, MEASURES, OF_A_ROW, TOKENS

Of = Literal["", "service", "provider", "model", "route", "user"]
Source = Literal["hours", "owners"]
Ranked = Literal["model", "provider", "route"]

_KEYS: dict[Of, tuple[str, ...]] = {
    "": (),
    "service": ("service",),
    "provider": ("provider",),
    "model": ("service", "provider", "model"),
    "route": ("service", "route"),
    "user": ("owner",),
}
KEYS = ("service", "provider", "model", "route", "owner")
"""The columns behind the period; empty where rows are not summed by them."""
SUMS = ("requests", "cached", "free", "estimated", "input", "output", "tokens", "cost_nanos")
_MARK = "seq > coalesce((select seq from rollup_marks where name = 'ledger'), 0)"
_NAMES = "service, route, provider, model, cache"
_MEASURED = ", ".join(MEASURES)
_PAID_INPUT = "case when cache = 'hit' then 0 else input + cached_input + cache_write end"
_PAID_OUTPUT = "case when cache = 'hit' then 0 else output end"
_SUMMED = ", ".join(
    f"cast(sum({one}) as bigint)"
    for one in ("requests", CACHED, "free", "estimated", _PAID_INPUT, _PAID_OUTPUT, TOKENS, "amount_nanos")
)  # fmt: skip


def _filters(first: int, names: tuple[str, ...]) -> str:
    """Each holds where its parameter is empty, or what the column says."""
    told = [f"(cast(${first + at} as text) = '' or {name} = ${first + at})" for at, name in enumerate(names)]  # fmt: skip
    return " and ".join(told)


def _usage(source: Source, of: Of, order: str = "") -> str:
    """Step, since, until, service, route, provider, model, (tenant, owner,) two ragged spans, the most rows."""
    owned = source == "owners"
    names = ("service", "route", "provider", "model")
    own = " and tenant = $8 and (cast($9 as text) = '' or owner = $9)" if owned else ""
    owner = "owner" if owned else "'' as owner"
    chosen = _KEYS[of]
    keys = ", ".join(key if key in chosen else f"'' as {key}" for key in KEYS)
    by = ", ".join(("period", *chosen))
    filters, edges = _filters(4, names) + own, 10 if owned else 8
    # Each by itself: of two spans joined by "or" SQLite reads the whole ledger.
    ragged = "".join(
        f"""  union all
  select cast({HOUR} / $1 as bigint) * $1, {owner}, {_NAMES}, {OF_A_ROW}
  from ledger where {ENDED} and at >= ${first} and at < ${first + 1} and {filters}
"""
        for first in (edges, edges + 2)
    )
    return f"""
select period, {keys}, {_SUMMED} from (
  select cast(hour / $1 as bigint) * $1 as period, {owner}, {_NAMES}, {_MEASURED}
  from usage_{source} where hour >= $2 and hour < $3 and {filters}
  union all
  select cast({HOUR} / $1 as bigint) * $1, {owner}, {_NAMES}, {OF_A_ROW}
  from ledger_rows where {_MARK} and {ENDED} and +at >= $2 and +at < $3 and {filters}
{ragged}) told
group by {by} order by {order or by} limit ${edges + 4}
"""


_RANKED: tuple[Ranked, ...] = ("model", "provider", "route")
_SOURCES: dict[Source, tuple[Of, ...]] = {
    "hours": ("", "service", "provider", "model", "route"),
    "owners": tuple(_KEYS),
}
USAGE: dict[tuple[Source, Of], str] = {
    (source, of): _usage(source, of) for source, every in _SOURCES.items() for of in every
}

Dimension = Literal["user", "tenant"]
Order = Literal["cost", "requests", "tokens"]
DIMENSION_SUMS = ("requests", "cached", "free", "estimated", "tokens", "cost_nanos")
_DIMENSIONED = ", ".join(f"cast(sum({one}) as bigint)" for one in ("requests", "cached", "free", "estimated", "tokens", "amount_nanos"))  # fmt: skip
_COLUMNS: dict[Dimension, str] = {"user": "owner", "tenant": "tenant"}
_ORDERS: dict[Order, str] = {
    "cost": "sum(amount_nanos) desc, sum(requests) desc, value",
    "requests": "sum(requests) desc, value",
    "tokens": "sum(tokens) desc, value",
}


def _of_rows(column: str, table: str, where: str) -> str:
    """Rows of the ledger as rows of a dimension."""
    return f"""
  select at, {column} as value, requests, {CACHED} as cached, free, estimated, {TOKENS} as tokens, amount_nanos from (
    select at, {column}, cache, {OF_A_ROW} from {table} where {ENDED} and {where}
  ) one_by_one
"""


def _dimension(of: Dimension, group: str, order: str) -> str:
    """Step, since, until in whole days, two ragged spans, the most rows."""
    column = _COLUMNS[of]
    names = "value, requests, cached, free, estimated, tokens, amount_nanos"
    return f"""
select {group}, {_DIMENSIONED} from (
  select cast(day / $1 as bigint) * $1 as period, {names}
  from usage_dimensions where dimension = '{of}' and day >= $2 and day < $3
  union all
  select cast(at / $1 as bigint) * $1, {names} from (
{_of_rows(column, "ledger_rows", f"{_MARK} and +at >= $2 and +at < $3")}
    union all
{_of_rows(column, "ledger", "at >= $4 and at < $5")}
    union all
{_of_rows(column, "ledger", "at >= $6 and at < $7")}
  ) rest
) told
group by {group} order by {order} limit $8
"""


TOP: dict[tuple[Dimension, Order], str] = {
    (of, order): _dimension(of, "value", by) for of in _COLUMNS for order, by in _ORDERS.items()
}
TOP_OF_TENANT: dict[Order, str] = {
    "cost": _usage("owners", "user", "sum(amount_nanos) desc, owner"),
    "requests": _usage("owners", "user", "sum(requests) desc, owner"),
    "tokens": _usage("owners", "user", f"sum({TOKENS}) desc, owner"),
}
RANKED: dict[tuple[Source, Ranked], str] = {
    (source, of): _usage(
        source, of, f"sum(amount_nanos) desc, sum(requests) desc, {', '.join(_KEYS[of])}"
    )
    for source in _SOURCES
    for of in _RANKED
}
"""Those that cost most: the first of however many there are."""
BUSIEST: dict[Order, str] = {
    "cost": _usage("hours", "route", "sum(amount_nanos) desc, period, service, route"),
    "requests": _usage("hours", "route", "sum(requests) desc, period, service, route"),
}
"""Routes of a period that cost most, or were asked most."""
SERIES: dict[Dimension, str] = {
    of: _dimension(of, "period, value", "period, value") for of in _COLUMNS
}


_TOOK = ("input", "cached_input", "cache_write", "output", "amount_nanos")
# What is estimated has the most that it can have been, which nobody wrote. It is left out, unless within the span the truth came,
# which does so within a day: both stand in the sums, and are taken off where not both are asked for. A chat service that tells
# tokens alone has no input: those were counted.
_ESTIMATED = """guessed.stage = 'final' and guessed.ended = 'estimated' and guessed.service = 'chat'
    and guessed.input + guessed.cached_input + guessed.cache_write > 0"""
_CORRECTED = "told.request_id = guessed.request_id and told.stage = 'correction' and told.at >= $1 and told.at < $2"
_LATEST_MS = 2 * 86_400_000


def _chats(source: Source) -> str:
    """Since, until, (tenant)."""
    own = " and tenant = $3" if source == "owners" else ""
    theirs = own.replace("tenant", "guessed.tenant")
    sums = ", ".join(f"cast(sum({name}) as bigint)" for name in _TOOK)
    took = ", ".join(_TOOK)
    guessed, told = (", ".join(f"-{one}.{name}" for name in _TOOK) for one in ("guessed", "told"))
    return f"""
select day, {sums} from (
  select cast(hour / 86400000 as bigint) * 86400000 as day, {took}
  from usage_{source} where hour >= $1 and hour < $2 and service = 'chat'{own}
  union all
  select cast(at / 86400000 as bigint) * 86400000, {took}
  from ledger_rows where {_MARK} and {ENDED} and +at >= $1 and +at < $2 and service = 'chat'{own}
  union all
  select cast(guessed.at / 86400000 as bigint) * 86400000, {guessed}
  from ledger guessed where {_ESTIMATED} and guessed.at >= $1 and guessed.at < $2{theirs}
    and not exists (select 1 from ledger told where {_CORRECTED})
  union all
  select cast(told.at / 86400000 as bigint) * 86400000, {told}
  from ledger guessed join ledger told on {_CORRECTED}
  where {_ESTIMATED} and guessed.at >= $1 - {_LATEST_MS} and guessed.at < $1{theirs}
) all_of_them
group by day order by day
"""


# What chats took, whoever answered them and from wherever: what a baseline prices.
CHATS: dict[Source, str] = {source: _chats(source) for source in _SOURCES}

Told = Literal["", "service", "route", "target", "both"]
_TOLD = ("service", "route", "target")
_TOLD_BY: dict[Told, tuple[str, ...]] = {
    "": (),
    "service": ("service",),
    "route": ("service", "route"),
    "target": ("service", "target"),
    "both": _TOLD,
}


def _outcomes(of: Told, more: str, where: str, order: str) -> str:
    """Step; days since, until; service, route; two spans of hours; the whole span; the most rows."""
    chosen = _TOLD_BY[of]
    keys = ", ".join(key if key in chosen else f"'' as {key}" for key in _TOLD)
    by = ", ".join(("period", *chosen, *more.split(", ")))
    decisions = "seq > coalesce((select seq from rollup_marks where name = 'decisions'), 0)"
    wanted = f"{where} and {_filters(4, ('service', 'route'))}"
    # Each span is summed by itself: there are far more rows than sums, and this takes two thirds of the time.
    kept = "".join(
        f"""
  select cast(starts / $1 as bigint) * $1 as period, {keys}, {more}, sum(number) as number from outcomes
  where span = '{span}' and starts >= ${first} and starts < ${first + 1} and {wanted}
  group by {", ".join(("1", *chosen, *more.split(", ")))}
  union all"""
        for span, first in (("day", 2), ("hour", 6), ("hour", 8))
    )
    return f"""
select period, {keys}, {more}, cast(sum(number) as bigint) from ({kept}
  select cast(at / $1 as bigint) * $1, {keys}, {more}, 1 from (
    select at, service, route, target, status, error, {LOW} as low from decisions_told
    where {decisions} and +at >= $10 and +at < $11
  ) rest where {wanted}
) told
group by {by} order by {order} limit $12
"""


LATENCIES: dict[Told, str] = {
    of: _outcomes(of, "low", "status < 400", "period, low") for of in _TOLD_BY
}
ERRORS: dict[Told, str] = {
    of: _outcomes(of, "status, error", "status >= 400", "sum(number) desc, status, error")
    for of in _TOLD_BY
}

CACHE_COUNTS = """
select kind, cast(sum(hits) as bigint), cast(sum(misses) as bigint) from cache_counts group by kind order by kind
"""
CACHE_COUNTS_BETWEEN = """
select kind, cast(sum(hits) as bigint), cast(sum(misses) as bigint) from cache_counts
where day >= $1 and day <= $2 group by kind order by kind
"""
FIRST_HOUR = "select min(at) from ledger where stage in ('final', 'correction')"
