"""The SQL of monthly reports that are to be made, in the subset that SQLite, D1 and PostgreSQL share."""

from __future__ import annotations

FIND = "select outcome, due_at from monthly_reports where month = $1 and tenant = $2"

NOTE = """
insert into monthly_reports (month, tenant, due_at) values ($1, $2, $3) on conflict (month, tenant) do nothing
"""

CLAIM = """
update monthly_reports set due_at = $1, attempts = attempts + 1
where outcome = '' and (due_at <= $2 or due_at > $3) and month = $4 and tenant = $5
returning attempts
"""

AGAIN = """
update monthly_reports set due_at = $1, error = $2 where month = $3 and tenant = $4 and attempts = $5 and outcome = ''
"""

END = """
update monthly_reports set outcome = $1, error = $2, ended_at = $3 where month = $4 and tenant = $5 and outcome = ''
"""

LISTED = """
select month, tenant, attempts, outcome, ended_at, error from monthly_reports order by month desc, tenant limit $1
"""
