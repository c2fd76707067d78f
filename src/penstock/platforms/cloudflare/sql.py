"""The meter's statements, run in its Durable Object: what must be decided at once, where the counts live.

Times are whole microseconds; a time of null is the object's own. A row written costs as much as a thousand read, so a
count has few rows and a take writes one of them. A log's rows are each a JSON object of what was taken, by the time when
it no longer counts, in no order, with their sum in `used` and their bounds in `starts` and `ends`; a parallel call's place
is an entry as well. A GCRA has one row: its level in `used` at the time `starts`. They decide as platforms/memory/counts.py does.
"""

from __future__ import annotations

SCHEMA = (
    """
create table if not exists counts (
  name text not null, id integer not null, used integer not null, starts integer not null, ends integer not null,
  log text not null, primary key (name, id)
) without rowid
""",
    "create table if not exists marks (name text primary key, until integer not null) without rowid",
    "create table if not exists at_alarm (statement text not null)",
)
SWEEP_MS = 86_400_000
"""Between two looks whether anything of an object still counts."""
LASTS = f"""
select iif(max(until) > $1, max(max(until), $1 + {SWEEP_MS * 1000}), null) from (
  select iif(ends > 0, ends, starts + (name ->> 2) * 1000000) as until from counts union all select until from marks
)
"""
"""When an object is to be looked at again, null where nothing of it counts any more: a GCRA is empty after its window."""
LEAVE = "insert into at_alarm (statement) select $1 where not exists (select 1 from at_alarm)"

MOST_LOG = 900
"""Bytes of a row's log from which on another row is begun, some forty entries: more do not fit in a page's own part."""

_KEY = "cast(key as integer)"
_LIVE = f"iif(starts > now, used, (select coalesce(sum(value), 0) from json_each(log) where {_KEY} > now))"
"""What still counts of a log's row."""
_DECIDED = f"""
with recursive asks as (
  select key as n, value ->> 0 as place, value ->> 1 as turn, value ->> 2 as kind, value ->> 3 as name, value ->> 4 as most,
    value ->> 5 as micros, max(0, value ->> 6) as amount, cast($1 as integer) as now
  from json_each($2)
),
stands as materialized (
  select n, place, turn, kind, a.name, most, micros, now, amount * iif(kind = 'g', micros, 1) as weight,
    most * iif(kind = 'g', micros, 1) as room, max(coalesce(ends, 0)) as ends, sum(case
      when used is null then 0 when kind = 'g' then max(0, used - max(0, now - starts) * most) else {_LIVE}
    end) as used
  from asks a left join counts c on c.name = a.name and (kind = 'g' or ends > now) group by n
),
decided as materialized (
  select *, iif(used + weight <= room, weight, 0) as taken, weight = 0 or used + weight <= room as fits
  from stands where turn = 0
  union all
  select s.*, d.taken + iif(s.used + d.taken + s.weight <= s.room, s.weight, 0),
    s.weight = 0 or s.used + d.taken + s.weight <= s.room
  from decided d join stands s on s.turn = d.turn + 1 and s.name = d.name
)
"""
"""How each of the demands $2 stands, a JSON list of `[place, turn, kind, name, most, micros, amount]`, where the turn is how
many before it ask of the same count: what is used of it, whether it fits, and what they have taken by then."""
_GRANTED = "not exists (select 1 from decided where not fits)"

_EXCESS = "d.used + d.taken + d.weight - d.room"
_FREE = f"""
select until from (
  select {_KEY} as until, sum(value) over (order by {_KEY}) as gone
  from (
    select min(ends) as horizon from (
      select ends, sum({_LIVE.replace("now", "d.now")}) over (order by ends) as gone
      from counts where name = d.name and ends > d.now
    ) where gone >= {_EXCESS}
  ) join counts c on c.name = d.name and c.ends > d.now and c.starts <= horizon, json_each(c.log)
  where {_KEY} > d.now
) where gone >= {_EXCESS} order by until limit 1
"""
"""When so much of a log is free; rows are not opened that begin after those which suffice have ended."""
DECIDE = f"""
{_DECIDED}
select place, now, case
    when fits then 0 when kind = 'p' then 1000000 when weight > room then micros
    when kind = 'g' then ({_EXCESS} + most - 1) / most
    else coalesce(({_FREE}), now + micros) - now
  end,
  max(0, room - used - kept) / iif(kind = 'g', micros, 1),
  iif(kind = 'g', (used + kept + most - 1) / most, max(0, ends - now, iif(kept > 0, micros, 0)))
from (
  select d.*, iif($3 and {_GRANTED}, (select max(taken) from decided where name = d.name), 0) as kept from decided d
) d order by n
"""
"""How each demand stands: place, the time, wait, what remains, when it is whole again; where $3 is 1, as it stands once
all are taken, if all fit."""

_PUTS = f"""
found as (
  select p.*, coalesce(
    (select id from counts c where c.name = p.name and (ends <= p.now or octet_length(log) < {MOST_LOG})
      order by id desc limit 1),
    (select max(id) + 1 from counts c where c.name = p.name), 0
  ) as id from puts p
),
kept as (
  select f.*, iif(c.starts > now, used, coalesce(sum(value), 0)) as used,
    iif(c.starts > now, starts, coalesce(min({_KEY}), until)) as starts, coalesce(ends, 0) as ends,
    iif(c.starts > now, log, json_group_object(key, value) filter (where key is not null)) as log
  from found f left join counts c on c.name = f.name and c.id = f.id
    left join json_each(iif(c.starts > now, '{{}}', log)) on {_KEY} > now
  group by f.name
)
select name, id, used + taken, min(starts, until), max(ends, until), json_set(
  log, '$."' || until || '"', coalesce(log ->> cast(until as text), 0) + taken
) from kept where true
"""
"""Puts what `puts` has taken into a row that has room, without what no longer counts there."""
_OVER = """
on conflict (name, id) do update set
  used = excluded.used, starts = excluded.starts, ends = excluded.ends, log = excluded.log
"""
_WRITE = "insert into counts (name, id, used, starts, ends, log)"

TAKE = f"""
{_WRITE}
{_DECIDED},
taken as materialized (
  select name, kind, used, max(taken) as taken, now, now + max(micros) as until
  from decided where {_GRANTED} group by name having max(taken) > 0
),
puts as (select name, taken, now, until from taken where kind <> 'g'),
{_PUTS}
union all
select name, 0, used + taken, max(now, coalesce((select starts from counts c where c.name = t.name), 0)), 0, ''
from taken t where kind = 'g'
{_OVER}
"""
"""Takes all of the demands, where all fit: a row for each count, in one statement, as the next would decide anew."""

CHANGE = f"""
update counts set (used, starts, ends, log) = (
  select coalesce(sum(amount), 0), coalesce(min({_KEY}), 0), coalesce(max({_KEY}), 0), json_group_object(key, amount)
  from (select key, value + iif(key = $1, cast($2 as integer), 0) as amount from json_each(log)) where amount <> 0
)
where name = $3 and id = (
  select id from counts where name = $3 and starts <= $1 and ends >= $1 and log ->> $1 is not null limit 1
)
"""
"""Adds to what was taken until $1, unless it is gone."""
LATE = f"""
{_WRITE}
with puts as (
  select $1 as name, cast($2 as integer) as taken, cast($3 as integer) as now, cast($4 as integer) as until
  where cast($4 as integer) > cast($3 as integer)
),
{_PUTS}
{_OVER}
"""
"""What was used of an amount of nothing, if it still counts."""
REFILL = """
insert into counts (name, id, used, starts, ends, log)
values ($1, 0, max(0, cast($2 as integer)), cast($3 as integer), 0, '')
on conflict (name, id) do update set
  used = max(0, max(0, used - max(0, excluded.starts - starts) * cast($4 as integer)) + cast($2 as integer)),
  starts = max(starts, excluded.starts)
"""
"""Adds $2 to a GCRA's level, of what was taken at the time $3."""

ALIVE = "select max(0, until - cast($1 as integer)) from marks where name = $2"
MARK = """
insert into marks (name, until) values ($1, $2) on conflict (name) do update set until = excluded.until
"""
