"""The SQL of alerts, in the subset that SQLite, D1 and PostgreSQL share."""

from __future__ import annotations

from penstock.ledger.rollups.sql import HOUR

TURN = "select version, due_at, lease_until, samples from alert_turns where name = 'judge'"

CLAIM = """
insert into alert_turns (name, version, due_at, lease_until, samples) values ('judge', $1, 0, $2, '[]')
on conflict (name) do update set lease_until = excluded.lease_until
where alert_turns.version = $1 and (alert_turns.lease_until <= $3 or alert_turns.lease_until > $4)
  and (alert_turns.due_at <= $3 or alert_turns.due_at > $4)
returning version
"""

# From where it was read, or the constraint `alert_turns_moved` refuses the whole batch.
MOVE = """
update alert_turns
set version = case when version = $1 then version + 1 else -1 end, due_at = $2, lease_until = 0, samples = $3
where name = 'judge'
"""

STATES = "select rule, subject, state from alert_states order by rule, subject limit 20000"

SET_STATE = """
insert into alert_states (rule, subject, state) values ($1, $2, $3)
on conflict (rule, subject) do update set state = excluded.state
"""

DROP_STATE = "delete from alert_states where rule = $1 and subject = $2"

ADD_NOTICE = "insert into alert_notices (id, at, rule, event, notice) values ($1, $2, $3, $4, $5)"

# Where too many wait for a channel already, it is not sent there, and counted.
ADD_DELIVERY = """
insert into alert_deliveries (id, notice, channel, at, due_at, attempts, status, outcome, ended_at)
select told.id, told.notice, told.channel, told.at, told.at, 0, '', case when told.waiting < $1 then '' else 'dropped' end,
  case when told.waiting < $1 then 0 else told.at end
from (
  select cast($2 as text) as id, cast($3 as text) as notice, cast($4 as text) as channel, cast($5 as bigint) as at,
    (select count(*) from alert_deliveries where channel = $4 and outcome = '') as waiting
) told
"""

# In order for each channel: a recovery never comes before what it ends, and one that fails holds up those behind it.
DELIVER = """
update alert_deliveries set due_at = $1, attempts = attempts + 1
where outcome = '' and (due_at <= $2 or due_at > $3) and id = (
  select id from alert_deliveries due where outcome = '' and (due_at <= $2 or due_at > $3) and not exists (
    select 1 from alert_deliveries before
    where before.channel = due.channel and before.outcome = '' and before.id < due.id
  )
  order by due_at, id limit 1
)
returning id, notice, channel, at, attempts
"""

DUE = "select 1 from alert_deliveries where outcome = '' and (due_at <= $1 or due_at > $2) limit 1"

NOTICE = "select notice from alert_notices where id = $1"

AGAIN = """
update alert_deliveries set due_at = $1, status = $2 where id = $3 and attempts = $4 and outcome = ''
"""

END = """
update alert_deliveries set outcome = $1, status = $2, ended_at = $3 where id = $4 and outcome = ''
"""

SWEEP_DELIVERIES = """
delete from alert_deliveries where id in (
  select id from alert_deliveries where outcome <> '' and ended_at < $1 order by ended_at limit $2
)
returning id
"""

SWEEP_NOTICES = """
delete from alert_notices where id in (
  select id from alert_notices where at < $1 order by at limit $2
) and not exists (select 1 from alert_deliveries where notice = alert_notices.id)
returning id
"""

WORD = """
insert into alert_words (subject, minute, number) values ($1, $2, $3)
on conflict (subject, minute) do update set number = alert_words.number + excluded.number
"""

WORDS = """
select subject, cast(sum(number) as bigint) from alert_words where minute >= $1 group by subject order by subject limit 1000
"""

FORGET_WORDS = "delete from alert_words where minute < $1"

ANSWERED = """
select distinct provider from ledger
where stage in ('final', 'correction') and stage = 'final' and ended = 'settled' and cache <> 'hit' and at >= $1
"""

OUTCOMES = f"""
select starts, route, cast(sum(case when status >= 500 then number else 0 end) as bigint), cast(sum(number) as bigint)
from (
  select starts, route, status, number from outcomes where span = 'hour' and starts >= $1
  union all
  select {HOUR}, route, status, 1 from decisions_told
  where seq > coalesce((select seq from rollup_marks where name = 'decisions'), 0) and +at >= $1
) told
where status < 400 or status >= 500
group by starts, route order by starts desc, sum(number) desc, route limit 50000
"""

LAST = "select notice from alert_notices order by at desc, id desc limit $1"

DELIVERIES = """
select notice, channel, attempts, status, outcome from alert_deliveries where notice in (
  select id from alert_notices order by at desc, id desc limit $1
) order by id
"""

COUNTS = """
select channel, outcome, count(*) from alert_deliveries group by channel, outcome order by channel, outcome
"""
