"""The SQL of webhook events, in the subset that SQLite, D1 and PostgreSQL share."""

from __future__ import annotations

STORE = """
insert into webhook_events (id, body, signature, received_at, due_at, attempts, status, outcome, ended_at)
values ($1, $2, $3, $4, $5, 1, 0, '', 0)
"""

FIND = "select body from webhook_events where id = $1"

REVIVE = """
update webhook_events
set body = $1, signature = $2, received_at = $3, due_at = $4, attempts = 1, status = 0, outcome = '', ended_at = 0
where id = $5 and outcome = 'given_up'
returning id
"""

CLAIM = """
update webhook_events set due_at = $1, attempts = attempts + 1
where outcome = '' and due_at <= $2 and id = (
  select id from webhook_events where outcome = '' and due_at <= $2 order by due_at, id limit 1
)
returning id, body, signature, received_at, attempts
"""

AGAIN = """
update webhook_events set due_at = $1, status = $2 where id = $3 and attempts = $4 and outcome = ''
"""

END = "update webhook_events set outcome = $1, status = $2, ended_at = $3 where id = $4 and outcome = ''"

SWEEP = """
delete from webhook_events where id in (
  select id from webhook_events where outcome <> '' and ended_at < $1 order by ended_at limit $2
)
returning id
"""
