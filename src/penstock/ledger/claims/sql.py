"""The claims' SQL, in the subset that SQLite, D1 and PostgreSQL share."""

from __future__ import annotations

EXPIRE = "delete from idempotency where owner = $1 and key = $2 and until <= $3"

CLAIM = """
insert into idempotency (owner, key, request_id, fingerprint, state, at, until)
values ($1, $2, $3, $4, 'open', $5, $6)
"""

FIND = "select request_id, fingerprint, state, at from idempotency where owner = $1 and key = $2"

STEPS = """
select request_id, stage, ended, at, lease_until from ledger
where (request_id = $1 or (request_id > $1 || '.' and request_id < $1 || '/'))
  and stage in ('reserve', 'final') and cache <> 'hit'
"""

DISPATCH = "insert into idempotency_dispatches (request_id, until) values ($1, $2)"

TAKE_OVER = """
update idempotency set request_id = $1, at = $2, until = $3
where owner = $4 and key = $5 and request_id = $6
returning request_id
"""

MARK = "update idempotency set state = $1 where owner = $2 and key = $3 and request_id = $4"

RELEASE = "delete from idempotency where owner = $1 and key = $2 and request_id = $3"

SWEEP_CLAIMS = """
delete from idempotency where (owner, key) in (
  select owner, key from idempotency where until <= $1 order by until limit $2
)
returning key
"""

SWEEP_DISPATCHES = """
delete from idempotency_dispatches where request_id in (
  select request_id from idempotency_dispatches where until <= $1 order by until limit $2
)
returning request_id
"""
