-- Who has used which Idempotency-Key, for what, and what came of it; times in milliseconds.
create table idempotency (
  owner text not null,
  key text not null,
  request_id text not null,
  fingerprint text not null,
  state text not null,
  at bigint not null,
  until bigint not null,
  constraint idempotency_pkey primary key (owner, key),
  constraint idempotency_state check (state in ('open', 'large', 'lost'))
);
create index idempotency_until on idempotency (until);
-- The one right of a claimed request to be sent: it uses it with its first hold, or who takes its claim over does.
create table idempotency_dispatches (
  request_id text not null,
  until bigint not null,
  constraint idempotency_dispatches_pkey primary key (request_id)
);
create index idempotency_dispatches_until on idempotency_dispatches (until);
