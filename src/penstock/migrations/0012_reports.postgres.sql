-- What PostgreSQL says its own way. Several write at once, so rows are numbered, each after its transaction has got its own number (the
-- default's order): once all transactions have ended that were open when a number was the last, no row of a lower one can come.
create sequence ledger_seq;
grant usage, select on sequence ledger_seq to public;
alter table ledger add column seq bigint not null default (case when pg_current_xact_id() is not null then nextval('ledger_seq') end);
create sequence decisions_seq;
grant usage, select on sequence decisions_seq to public;
alter table decisions add column seq bigint not null default (case when pg_current_xact_id() is not null then nextval('decisions_seq') end);
create index ledger_seq_ended on ledger (seq) where stage in ('final', 'correction');
create index decisions_seq_at on decisions (seq);
create view ledger_rows as
select seq as seq, request_id, stage, ended, at, tenant, owner, sub, route, service, provider, model, target, cache, input, cached_input,
  cache_write, output, amount_nanos
from ledger;
-- A caller may have sent the letter that no text of PostgreSQL holds.
create view decision_rows as
select seq as seq, at, owner, json_build_array(record -> 'service', record -> 'route', record -> 'target', record -> 'cache', record -> 'status', record -> 'error')::text as kind, coalesce((record ->> 'total_us')::bigint, 0) as total_us
from (select seq, at, owner, replace(record, '\u0000', '\u0001')::json as record from decisions) told;
create view decisions_told as
select seq, at, total_us, coalesce(kind::json ->> 0, '') as service, coalesce(kind::json ->> 1, '') as route, coalesce(kind::json ->> 2, '') as target, coalesce(kind::json ->> 3, '') as cache, coalesce((kind::json ->> 4)::bigint, 0) as status, coalesce(kind::json ->> 5, '') as error
from decision_rows;
create view rollup_outcomes_told as
select hour, coalesce(kind::json ->> 0, '') as service, coalesce(kind::json ->> 1, '') as route, coalesce(kind::json ->> 2, '') as target, coalesce(kind::json ->> 3, '') as cache, coalesce((kind::json ->> 4)::bigint, 0) as status, coalesce(kind::json ->> 5, '') as error, low, number
from rollup_outcomes;
create view last_rows as
select 'ledger' as name, case when is_called then last_value else 0 end as seq from ledger_seq
union all
select 'decisions', case when is_called then last_value else 0 end from decisions_seq;
create view writers as
select pg_snapshot_xmax(pg_current_snapshot())::text::bigint as ticket, pg_snapshot_xmin(pg_current_snapshot())::text::bigint as oldest;
-- The first design's columns, for whoever queries those; costs in dollars.
create view usage_tracking as
select cast(id as text) as id, user_id, service, provider, model, tokens, cost, timestamp, metadata from first_usage_tracking
union all
select request_id || case when stage = 'correction' then '#' || attempt else '' end, sub, service, provider, model,
  case when cache = 'hit' then 0 else input + cached_input + cache_write + output end, amount_nanos / 1e9, to_char(to_timestamp(at / 1000.0) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
  json_build_object('route', route, 'target', target, 'cache', cache, 'ended', ended)::text
from ledger where stage in ('final', 'correction') and ended <> 'released';
create view user_registrations as
select user_id, email, ip, country, referrer, timestamp from first_user_registrations
union all
select user_id, email, ip, country, referrer, to_char(to_timestamp(at / 1000.0) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') from registrations;
create view login_attempts as
select email, success, ip, country, timestamp from first_login_attempts
union all
select email, success, ip, country, to_char(to_timestamp(at / 1000.0) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') from logins;
create view usage_everywhere as
select hour, provider, requests, amount_nanos from usage_hours
union all
select cast(at / 3600000 as bigint) * 3600000, provider, case when stage = 'correction' or request_id like '%.%' then 0 else 1 end, amount_nanos
from ledger_rows
where seq > coalesce((select seq from rollup_marks where name = 'ledger'), 0) and stage in ('final', 'correction') and ended <> 'released';
create view cost_summary as
select date, total_cost, cloudflare_cost, openai_cost, total_requests from first_cost_summary
union all
select to_char(to_timestamp(hour / 1000) at time zone 'UTC', 'YYYY-MM-DD'), sum(amount_nanos) / 1e9, sum(case when provider = 'cloudflare' then amount_nanos else 0 end) / 1e9,
  sum(case when provider = 'openai' then amount_nanos else 0 end) / 1e9, cast(sum(requests) as bigint)
from usage_everywhere group by to_char(to_timestamp(hour / 1000) at time zone 'UTC', 'YYYY-MM-DD');
create view cache_stats as
select service, hits, misses, date from first_cache_stats
union all
select kind, hits, misses, day from cache_counts;
