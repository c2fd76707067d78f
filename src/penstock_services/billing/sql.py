"""The SQL of subscriptions, in the subset that SQLite and PostgreSQL share."""

from __future__ import annotations

EVENT = "insert into events (id, type, event_at, received_at) values ($1, $2, $3, $4)"

CUSTOMER = """
insert into customers (owner, user_id, stripe_customer) values ($1, $2, $3)
on conflict (owner) do update set stripe_customer = excluded.stripe_customer
"""
CUSTOMER_OF = "select stripe_customer from customers where owner = $1"

# Stripe promises no order: an older event changes nothing, what was canceled stays so, and of one second's events the one
# that it was created ($13 = 0) is the oldest.
SUBSCRIPTION = """
insert into subscriptions
  (id, owner, user_id, stripe_customer, tier, rank, status, period_start, period_end,
   cancel_at_period_end, canceled_at, event_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
on conflict (id) do update set
  tier = excluded.tier, rank = excluded.rank, status = excluded.status,
  period_start = excluded.period_start, period_end = excluded.period_end,
  cancel_at_period_end = excluded.cancel_at_period_end, canceled_at = excluded.canceled_at,
  event_at = excluded.event_at
where subscriptions.event_at < excluded.event_at + cast($13 as bigint) and subscriptions.status <> 'CANCELED'
"""

LATEST = """
select id, tier, status, period_start, period_end, cancel_at_period_end, canceled_at
from subscriptions where owner = $1
order by case when status in ('ACTIVE', 'TRIALING', 'PAST_DUE') then 0 else 1 end, event_at desc
limit 1
"""

WILL_END = "update subscriptions set cancel_at_period_end = 1 where id = $1"

TIER = """
insert into tiers (user_id, rank, version)
select $1, coalesce(max(rank), 0), 1 from subscriptions
where user_id = $1 and status in ('ACTIVE', 'TRIALING', 'PAST_DUE')
on conflict (user_id) do update set rank = excluded.rank, version = tiers.version + 1
"""
UNTOLD = "select rank, version from tiers where user_id = $1 and told < version"
TOLD = """
update tiers set told = cast($1 as bigint) where user_id = $2 and told < cast($1 as bigint)
"""

PAYMENT = """
insert into payments (id, stripe_customer, stripe_payment, amount, currency, status, paid_at, event_at)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (id) do update set
  stripe_payment = excluded.stripe_payment, amount = excluded.amount, status = excluded.status,
  paid_at = excluded.paid_at, event_at = excluded.event_at
where payments.event_at <= excluded.event_at and payments.status <> 'REFUNDED'
"""
REFUND = (
    "update payments set status = 'REFUNDED' where stripe_payment = $1 and stripe_payment <> ''"
)

PAYMENTS = """
select id, amount, currency, status, paid_at, event_at from payments
where stripe_customer in (select c.stripe_customer from customers c where c.owner = $1)
  and (event_at < $2 or (event_at = $2 and id < $3))
order by event_at desc, id desc limit $4
"""
