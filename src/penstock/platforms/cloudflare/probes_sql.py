"""The statements of the object that has backends probed: what was found, and whether anybody still wants to know."""

from __future__ import annotations

EACH_MS, SOON_MS = 30_000, 5_000
"""Between two probes; and where one is bad."""
NOTED_SECONDS, QUIET_SECONDS = 300, 900
"""That it was asked is noted this often, a row written each time; unasked for so long it ends, to begin again with the next."""

SCHEMA = (
    "create table if not exists found (backends text not null)",
    "create table if not exists asked (at integer not null)",
    "create table if not exists at_alarm (statement text not null)",
    "insert into found (backends) select '{}' where not exists (select 1 from found)",
)
FIRST = "insert into asked (at) select $1 where not exists (select 1 from asked)"
LEAVE = "insert into at_alarm (statement) select $1 where not exists (select 1 from at_alarm)"
NOTE = f"update asked set at = cast($1 as integer) where at < cast($1 as integer) - {NOTED_SECONDS * 1_000_000}"
READ = "select cast($1 as integer), backends from found"
KEEP = "update found set backends = $1"
RENEW = "update at_alarm set statement = $1 where statement <> $1"
"""Where a version before left another: an object that is asked all the time is never emptied."""
NEXT = f"""
select iif((select at from asked) > now - {QUIET_SECONDS * 1_000_000}, now + iif(
    exists (select 1 from json_each(backends) where case when type = 'array' then not value ->> 0 end), {SOON_MS * 1_000}, {EACH_MS * 1_000}
  ), null),
  json_array(now, json(backends))
from found, (select cast($1 as integer) as now)
"""
"""When to probe next, null where nobody asks any more; and what the gateway is asked: the time, and what was found last."""
