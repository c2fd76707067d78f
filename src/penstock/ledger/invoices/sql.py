"""The invoices' SQL, in the subset that SQLite, D1 and PostgreSQL share."""

from __future__ import annotations

OURS = """
select cast(at / $1 as bigint) * $1, provider, model, count(distinct request_id),
  cast(sum(case when ended = 'estimated' then 1 else 0 end) as bigint),
  cast(sum(input + cached_input + cache_write) as bigint), cast(sum(cached_input) as bigint),
  cast(sum(output) as bigint), cast(sum(amount_nanos) as bigint)
from ledger
where stage in ('final', 'correction') and ended <> 'released' and cache <> 'hit' and target not like 'own:%' and at >= $2 and at < $3
group by cast(at / $1 as bigint) * $1, provider, model
order by cast(at / $1 as bigint) * $1, provider, model limit 100000
"""
