"""The SQL of exported logs, in the subset that SQLite, D1 and PostgreSQL share."""

from __future__ import annotations

# The second condition on the stage is what its index knows.
PAGE = """
select l.at, l.request_id, l.owner, l.route, l.target, l.input + l.cached_input + l.cache_write, l.cached_input,
  l.cache_write, l.output, l.amount_nanos, l.cache, d.record, p.tenant, p.messages
from ledger l
left join decisions d on d.request_id = l.request_id
left join prompts p on p.request_id = l.request_id
where l.stage = 'final' and l.stage in ('final', 'correction') and l.service = 'chat' and l.ended <> 'released'
  and l.at >= $1 and (l.at, l.request_id) > ($1, $2) and l.at < $3
order by l.at, l.request_id limit $4
"""

PROMPT = """
insert into prompts (request_id, at, owner, tenant, messages) values ($1, $2, $3, $4, $5)
"""

SWEEP = """
delete from prompts where request_id in (select request_id from prompts where at < $1 order by at limit $2)
returning request_id
"""

FORGET = """
delete from prompts where request_id in (
  select request_id from prompts where tenant = $1 and (cast($2 as text) = '' or owner = $2) limit $3
)
returning request_id
"""
