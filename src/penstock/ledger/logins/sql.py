"""The SQL of registrations and logins, in the subset that SQLite, D1 and PostgreSQL share."""

from __future__ import annotations

REGISTERED = """
insert into registrations (id, at, user_id, email, ip, country, referrer) values ($1, $2, $3, $4, $5, $6, $7)
"""

TRIED = "insert into logins (id, at, email, success, ip, country) values ($1, $2, $3, $4, $5, $6)"

_SPAN = "cast(at / $1 as bigint) * $1"
_COUNTS = "count(*), cast(coalesce(sum(success), 0) as bigint)"

LOGINS_BY_SPAN = f"""
select {_SPAN}, {_COUNTS} from logins where at >= $2 and at < $3
group by {_SPAN} order by {_SPAN} limit 10000
"""

REGISTRATIONS_BY_SPAN = f"""
select {_SPAN}, count(*) from registrations where at >= $2 and at < $3
group by {_SPAN} order by {_SPAN} limit 10000
"""


def _by(column: str) -> str:
    """Logins and registrations by one of their columns, the most frequent first: both counted of each."""
    return f"""
select named, cast(sum(tried) as bigint), cast(sum(success) as bigint), cast(sum(registered) as bigint) from (
  select {column} as named, 1 as tried, success, 0 as registered from logins where at >= $1 and at < $2
  union all
  select {column}, 0, 0, 1 from registrations where at >= $1 and at < $2
) both_kinds
group by named order by sum(tried) + sum(registered) desc, sum(tried) desc, named limit 1000
"""


BY = {column: _by(column) for column in ("email", "ip", "country")}

TOTALS = f"select {_COUNTS} from logins where at >= $1 and at < $2"
TOTAL_REGISTRATIONS = "select count(*) from registrations where at >= $1 and at < $2"

SWEEP_LOGINS = """
delete from logins where id in (select id from logins where at < $1 order by at limit $2) returning id
"""

SWEEP_REGISTRATIONS = """
delete from registrations where id in (select id from registrations where at < $1 order by at limit $2)
returning id
"""
