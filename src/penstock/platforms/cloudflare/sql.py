"""The meter's statements, run in its Durable Object: what must be decided at once, where the counts live.

Times are whole microseconds. `asks` holds the demands of the take that runs, with what each waits; `entries` are the
amounts of logs (l) and the places of parallel calls (p), summed by triggers into `counts`; `leaks` are GCRA levels (g).
They decide as platforms/memory/counts.py does.
"""

from __future__ import annotations

SCHEMA = (
    """
create table if not exists asks (
  place integer primary key, kind text not null, name text not null, most integer not null, micros integer not null,
  amount integer not null, now integer not null, lease text not null, wait integer not null default 0
)
""",
    """
create table if not exists entries (
  id integer primary key, name text not null, at integer not null, amount integer not null, lease text not null,
  place integer not null
)
""",
    "create index if not exists entries_by_time on entries (name, at, id)",
    "create index if not exists entries_by_lease on entries (lease, place)",
    "create table if not exists counts (name text primary key, used integer not null)",
    """
create trigger if not exists entries_added after insert on entries begin
  insert into counts (name, used) values (new.name, new.amount)
  on conflict (name) do update set used = used + excluded.used;
end
""",
    """
create trigger if not exists entries_gone after delete on entries begin
  update counts set used = used - old.amount where name = old.name;
end
""",
    """
create trigger if not exists entries_changed after update of amount on entries begin
  update counts set used = used + new.amount - old.amount where name = new.name;
end
""",
    "create table if not exists leaks (name text primary key, level integer not null, at integer not null)",
    "create table if not exists marks (name text primary key, until integer not null)",
)

_CLOCK = "cast(unixepoch('subsec') * 1000 as integer) * 1000"
_USED = "coalesce((select used from counts where name = asks.name), 0)"
_LEVEL = "coalesce((select level from leaks where name = asks.name), 0)"
_DENIED = "exists (select 1 from asks where wait > 0)"

CLEAR = "delete from asks"
ASK = f"""
insert into asks (now, lease, place, kind, name, most, micros, amount)
select coalesce($1, {_CLOCK}), $2, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 from json_each($3)
"""
"""All demands at once, as a JSON list of `[place, kind, name, most, micros, amount]`."""
EXPIRE = """
delete from entries where id in (
  select e.id from asks a join entries e on e.name = a.name and e.at <= a.now - a.micros where a.kind in ('l', 'p')
)
"""

LOG = f"""
update asks set wait = case
  when amount <= 0 or {_USED} + amount <= most then 0
  when amount > most then micros
  else (
    select at from (
      select at, sum(amount) over (order by at, id rows unbounded preceding) as gone from entries
      where name = asks.name
    ) where gone >= {_USED} + asks.amount - asks.most limit 1
  ) + micros - now end
where place = $1
"""
PARALLEL = f"""
update asks set wait = case when {_USED} + amount <= most then 0 else 1000000 end where place = $1
"""
ADD = """
insert into entries (name, at, amount, lease, place)
select name, now, amount, lease, place from asks where place = $1 and wait = 0 and amount > 0
"""
LEAKED = """
insert into leaks (name, level, at) select name, 0, now from asks where place = $1
on conflict (name) do update set
  level = max(0, level - (excluded.at - at) * (select most from asks where place = $1)), at = excluded.at
"""
LEAK = f"""
update asks set wait = case
  when amount <= 0 or {_LEVEL} + amount * micros <= most * micros then 0
  when amount > most then micros
  else ({_LEVEL} + amount * micros - most * micros + most - 1) / most end
where place = $1
"""
FILL = """
update leaks set level = level + a.amount * a.micros from asks a
where a.place = $1 and a.name = leaks.name and a.wait = 0 and a.amount > 0
"""
ALIVE = """
update asks set wait = max(0, coalesce((select until from marks where name = asks.name), 0) - now) where place = $1
"""

UNDO_ENTRIES = f"delete from entries where lease = $1 and {_DENIED}"
UNDO_LEAKS = f"""
update leaks set level = max(0, level - (
  select sum(amount * micros) from asks where kind = 'g' and wait = 0 and name = leaks.name
))
where {_DENIED} and name in (select name from asks where kind = 'g' and wait = 0)
"""
ANSWER = f"""
select place, now, wait,
  case kind when 'g' then max(0, most * micros - {_LEVEL}) / micros else max(0, most - {_USED}) end,
  case kind when 'g' then ({_LEVEL} + most - 1) / most
  else coalesce((select max(at) from entries where name = asks.name) + micros - now, 0) end
from asks where kind <> 'a' order by place
"""
"""How all that counts stands once it is taken or undone: place, the time, wait, what remains, when it is whole again."""
REFUSED = "select place, wait from asks where wait > 0 order by place"

DROP = "delete from entries where lease = $1 and place = $2"
CHANGE = "update entries set amount = $1 where lease = $2 and place = $3"
LATE = f"""
insert into entries (name, at, amount, lease, place)
select $1, $2, $3, $4, $5 where $2 > coalesce($6, {_CLOCK}) - $7
"""
"""What was used of an amount of nothing, if it still counts."""
REFILL = "update leaks set level = max(0, level + ($1 - $2) * $3) where name = $4"

MARK = """
insert into marks (name, until) values ($1, $2) on conflict (name) do update set until = excluded.until
"""
