"""The ledger's SQL, in the subset that SQLite, D1 and PostgreSQL share."""

from __future__ import annotations

RESERVE = """
insert into ledger (request_id, attempt, stage, at, lease_until, owner, tenant, sub, key_id, route, service,
  amount_nanos)
values ($1, 0, 'reserve', $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""

DISPATCHED = """
insert into ledger (request_id, attempt, stage, at, owner, provider, model, target, price, input, output)
values ($1, $2, 'dispatched', $3, $4, $5, $6, $7, $8, $9, $10)
"""

FINAL = """
insert into ledger (request_id, attempt, stage, ended, at, owner, tenant, sub, key_id, route, service, provider,
  model, target, input, cached_input, cache_write, output, reasoning, amount_nanos, cache)
values ($1, $2, 'final', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
"""

CORRECTION = """
insert into ledger (request_id, attempt, stage, ended, at, owner, tenant, sub, key_id, route, service, provider,
  model, target, input, cached_input, cache_write, output, reasoning, amount_nanos)
values ($1, $2, 'correction', 'settled', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
"""

# It changes nothing, but locks the row: what is read of it next holds until the batch is written.
OPEN_ALLOTMENT = """
insert into allotments (account, day, used) values ($1, $2, 0)
on conflict (account, day) do update set used = allotments.used
"""

# The cap is the configuration's: once it was lowered, more may be used than it now allows, and nothing is free.
FINAL_ALLOTTED = """
insert into ledger (request_id, attempt, stage, ended, at, owner, tenant, sub, key_id, route, service, provider,
  model, target, input, cached_input, cache_write, output, reasoning, amount_nanos, cache)
select $1, cast($2 as bigint), 'final', $3, cast($4 as bigint), $5, $6, $7, $8, $9, $10, $11, $12, $13,
  cast($14 as bigint), cast($15 as bigint), cast($16 as bigint), cast($17 as bigint), cast($18 as bigint),
  ((cast($19 as bigint) - case when cast($20 as bigint) <= used then 0
      when cast($20 as bigint) - used < cast($19 as bigint) then cast($20 as bigint) - used
      else cast($19 as bigint) end)
    * cast($21 as bigint) + 999999) / 1000000, $22
from allotments where account = $23 and day = $24
returning amount_nanos
"""

USE_ALLOTMENT = """
update allotments
set used = case when cast($1 as bigint) <= used then used
  when cast($1 as bigint) - used < cast($2 as bigint) then cast($1 as bigint)
  else used + cast($2 as bigint) end
where account = $3 and day = $4
"""

DECISION = "insert into decisions (request_id, at, owner, record) values ($1, $2, $3, $4)"

COUNT_CACHE = """
insert into cache_counts (day, kind, hits, misses) values ($1, $2, $3, $4)
on conflict (day, kind) do update
set hits = cache_counts.hits + excluded.hits, misses = cache_counts.misses + excluded.misses
"""

EXPLAIN = "select at, owner, record from decisions where request_id = $1"

STEPS = """
select attempt, stage, ended, at, provider, model, target, input, cached_input, cache_write, output, reasoning,
  amount_nanos, cache, owner
from ledger where request_id = $1 or (request_id > $1 || '.' and request_id < $1 || '/')
order by at, request_id, attempt, stage
"""

CACHE_COUNTS_OF = """
select day, hits, misses from cache_counts where kind = $1 and day >= $2 and day <= $3
"""

STANDING = """
select stage, ended, provider, model, target, input, cached_input, cache_write, output, reasoning, amount_nanos
from ledger where request_id = $1 and stage in ('final', 'correction') and cache = '' order by stage desc, attempt
"""

LEASES_END = """
select lease_until, request_id from ledger
where stage = 'reserve' and (lease_until, request_id) > ($1, $2) and lease_until <= $3
order by lease_until, request_id limit 1 offset $4
"""

EXPIRED = """
select request_id, owner, tenant, sub, key_id, route, service, amount_nanos from ledger r
where stage = 'reserve' and (lease_until, request_id) > ($1, $2) and (lease_until, request_id) <= ($3, $4)
  and not exists (
    select 1 from ledger f where f.request_id = r.request_id and f.stage = 'final' and f.cache = ''
  )
order by lease_until, request_id
"""

ATTEMPTS = """
select attempt, provider, model, target, price, input, output from ledger
where request_id = $1 and stage = 'dispatched' order by attempt
"""

ESTIMATED = """
select at, request_id, owner, tenant, sub, key_id, route, service from ledger e
where stage = 'final' and ended = 'estimated' and (at, request_id) > ($1, $2) and at <= $3
  and not exists (select 1 from ledger c where c.request_id = e.request_id and c.stage = 'correction')
order by at, request_id limit $4
"""

PROGRESS = "select value from installation where name = 'reconciled'"
KEEP_PROGRESS = """
insert into installation (name, value) values ('reconciled', $1)
on conflict (name) do update set value = excluded.value
"""
