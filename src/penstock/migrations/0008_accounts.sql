-- Who registered and who tried to log in, as far as the gateway saw it; times in milliseconds, kept as long as is configured.
create table registrations (
  id text not null,
  at bigint not null,
  user_id text not null,
  email text not null,
  ip text not null,
  country text not null,
  referrer text not null,
  constraint registrations_pkey primary key (id)
);
create index registrations_at on registrations (at);
create table logins (
  id text not null,
  at bigint not null,
  email text not null,
  success integer not null,
  ip text not null,
  country text not null,
  constraint logins_pkey primary key (id)
);
create index logins_at on logins (at);
-- Stripe's events, each once, until the billing service has them: `outcome` is empty while it is still to be delivered, at `due_at`.
create table webhook_events (
  id text not null,
  body text not null,
  signature text not null,
  received_at bigint not null,
  due_at bigint not null,
  attempts integer not null,
  status integer not null,
  outcome text not null,
  ended_at bigint not null,
  constraint webhook_events_pkey primary key (id)
);
create index webhook_events_due on webhook_events (due_at) where outcome = '';
create index webhook_events_ended on webhook_events (ended_at) where outcome <> '';
