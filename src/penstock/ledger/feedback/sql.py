"""The feedback's SQL, in the subset that SQLite, D1 and PostgreSQL share."""

from __future__ import annotations

WHOSE = """
select owner from ledger where request_id = $1
union select owner from decisions where request_id = $1
"""

# Another name than those that stand already finds no room beyond the bound.
PUT = """
insert into feedback (request_id, name, owner, tenant, value, at)
select cast($1 as text), cast($2 as text), cast($3 as text), cast($4 as text), cast($5 as double precision),
  cast($6 as bigint)
where (select count(*) from feedback where request_id = $1 and name <> $2) < cast($7 as bigint)
on conflict (request_id, name) do update set value = excluded.value, at = excluded.at
returning name
"""

OF = "select name, value, at from feedback where request_id = $1 order by name"

SWEEP = """
delete from feedback where (request_id, name) in (
  select request_id, name from feedback where at < $1 order by at limit $2
)
returning name
"""

FORGET = """
delete from feedback where (request_id, name) in (
  select request_id, name from feedback where tenant = $1 and (cast($2 as text) = '' or owner = $2) limit $3
)
returning name
"""
