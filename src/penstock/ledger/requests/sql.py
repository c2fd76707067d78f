"""The SQL of the log of requests, in the subset that SQLite, D1 and PostgreSQL share."""

from __future__ import annotations

# Ids rise with time, so that the newest are read by the key that is there anyway.
NEWEST = """
select request_id, at, owner, record from decisions
where request_id > $1 and request_id < $2
order by request_id desc limit $3
"""

ONE = "select request_id, at, owner, record from decisions where request_id = $1"

# What a call of several parts took stands under `id.1`, `id.2`: a slash comes after every digit and dot.
ENDED = """
select request_id, provider, model, route, input, cached_input, cache_write, output, amount_nanos, cache from ledger
where request_id >= $1 and request_id < $2 || '/' and stage in ('final', 'correction')
order by request_id, stage, attempt
"""
