-- What Stripe told of our users. Times in milliseconds, 0 = never; `event_at` is Stripe's own, in seconds.
create table customers (
  owner text not null,
  user_id text not null,
  stripe_customer text not null,
  constraint customers_pkey primary key (owner),
  constraint customers_stripe_customer_key unique (stripe_customer)
);
create table subscriptions (
  id text not null,
  owner text not null,
  user_id text not null,
  stripe_customer text not null,
  tier text not null,
  rank bigint not null,
  status text not null,
  period_start bigint not null,
  period_end bigint not null,
  cancel_at_period_end bigint not null,
  canceled_at bigint not null,
  event_at bigint not null,
  constraint subscriptions_pkey primary key (id)
);
create index subscriptions_owner on subscriptions (owner, event_at);
create index subscriptions_user_id on subscriptions (user_id);
create table payments (
  id text not null,
  stripe_customer text not null,
  stripe_payment text not null,
  amount bigint not null,
  currency text not null,
  status text not null,
  paid_at bigint not null,
  event_at bigint not null,
  constraint payments_pkey primary key (id)
);
create index payments_customer on payments (stripe_customer, event_at, id);
create index payments_stripe_payment on payments (stripe_payment);
create table events (
  id text not null,
  type text not null,
  event_at bigint not null,
  received_at bigint not null,
  constraint events_pkey primary key (id)
);
-- The tier each user has by their subscriptions, and which version of it the auth service was told.
create table tiers (
  user_id text not null,
  rank bigint not null,
  version bigint not null,
  told bigint not null default 0,
  constraint tiers_pkey primary key (user_id)
);
