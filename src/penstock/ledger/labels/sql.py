"""The labels' SQL, in the subset that SQLite, D1 and PostgreSQL share."""

from __future__ import annotations

_COLUMNS = (
    "request_id, shadow_id, at, owner, tenant, route, judge, weak_target, strong_target, weak, strong, weak_nanos,"
    " strong_nanos, features, prompt, weak_answer, strong_answer"
)

PUT = f"""
insert into labels ({_COLUMNS})
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
"""

PAGE = f"""
select l.*, f.value from (
  select {_COLUMNS} from labels
  where at >= $1 and (at, request_id) > ($1, $2) and at < $3 and (cast($4 as text) = '' or route = $4)
  order by at, request_id limit $5
) l left join feedback f on f.request_id = l.request_id and f.name = 'score'
order by l.at, l.request_id
"""

NEWEST = f"""
select {_COLUMNS}, cast(null as double precision) from labels where route = $1 and at >= $2
order by at desc, request_id limit $3
"""

SO_FAR = "select route, count(*), max(at) from labels group by route"

SWEEP = """
delete from labels where request_id in (select request_id from labels where at < $1 order by at limit $2)
returning request_id
"""

FORGET = """
delete from labels where request_id in (
  select request_id from labels where tenant = $1 and (cast($2 as text) = '' or owner = $2) limit $3
)
returning request_id
"""
