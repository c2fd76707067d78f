-- What SQLite says its own way: rows stand in the order in which they were written, for there is one writer and none is deleted.
create view ledger_rows as
select rowid as seq, request_id, stage, ended, at, tenant, owner, sub, route, service, provider, model, target, cache, input, cached_input,
  cache_write, output, amount_nanos
from ledger;
create view decision_rows as
select rowid as seq, at, owner, json_extract(record, '$.service', '$.route', '$.target', '$.cache', '$.status', '$.error') as kind, coalesce(json_extract(record, '$.total_us'), 0) as total_us
from decisions;
create view decisions_told as
select seq, at, total_us, coalesce(json_extract(kind, '$[0]'), '') as service, coalesce(json_extract(kind, '$[1]'), '') as route, coalesce(json_extract(kind, '$[2]'), '') as target, coalesce(json_extract(kind, '$[3]'), '') as cache, coalesce(json_extract(kind, '$[4]'), 0) as status, coalesce(json_extract(kind, '$[5]'), '') as error
from decision_rows;
create view rollup_outcomes_told as
select hour, coalesce(json_extract(kind, '$[0]'), '') as service, coalesce(json_extract(kind, '$[1]'), '') as route, coalesce(json_extract(kind, '$[2]'), '') as target, coalesce(json_extract(kind, '$[3]'), '') as cache, coalesce(json_extract(kind, '$[4]'), 0) as status, coalesce(json_extract(kind, '$[5]'), '') as error, low, number
from rollup_outcomes;
create view last_rows as
select 'ledger' as name, coalesce((select max(rowid) from ledger), 0) as seq
union all
select 'decisions', coalesce((select max(rowid) from decisions), 0);
create view writers as select 0 as ticket, 0 as oldest;
-- The first design's columns, for whoever queries those; costs in dollars.
create view usage_tracking as
select cast(id as text) as id, user_id, service, provider, model, tokens, cost, timestamp, metadata from first_usage_tracking
union all
select request_id || case when stage = 'correction' then '#' || attempt else '' end, sub, service, provider, model,
  case when cache = 'hit' then 0 else input + cached_input + cache_write + output end, amount_nanos / 1e9, strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch'),
  json_object('route', route, 'target', target, 'cache', cache, 'ended', ended)
from ledger where stage in ('final', 'correction') and ended <> 'released';
create view user_registrations as
select user_id, email, ip, country, referrer, timestamp from first_user_registrations
union all
select user_id, email, ip, country, referrer, strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') from registrations;
create view login_attempts as
select email, success, ip, country, timestamp from first_login_attempts
union all
select email, success, ip, country, strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') from logins;
create view usage_everywhere as
select hour, provider, requests, amount_nanos from usage_hours
union all
select cast(at / 3600000 as bigint) * 3600000, provider, case when stage = 'correction' or request_id like '%.%' then 0 else 1 end, amount_nanos
from ledger_rows
where seq > coalesce((select seq from rollup_marks where name = 'ledger'), 0) and stage in ('final', 'correction') and ended <> 'released';
create view cost_summary as
select date, total_cost, cloudflare_cost, openai_cost, total_requests from first_cost_summary
union all
select strftime('%Y-%m-%d', hour / 1000, 'unixepoch'), sum(amount_nanos) / 1e9, sum(case when provider = 'cloudflare' then amount_nanos else 0 end) / 1e9,
  sum(case when provider = 'openai' then amount_nanos else 0 end) / 1e9, cast(sum(requests) as bigint)
from usage_everywhere group by strftime('%Y-%m-%d', hour / 1000, 'unixepoch');
create view cache_stats as
select service, hits, misses, date from first_cache_stats
union all
select kind, hits, misses, day from cache_counts;
