-- The money record: append-only, one row a step of a request.
create table ledger (
  request_id text not null,
  attempt bigint not null,
  stage text not null,
  ended text not null default '',
  at bigint not null,
  lease_until bigint not null default 0,
  owner text not null default '',
  tenant text not null default '',
  sub text not null default '',
  key_id text not null default '',
  route text not null default '',
  service text not null default '',
  provider text not null default '',
  model text not null default '',
  target text not null default '',
  input bigint not null default 0,
  cached_input bigint not null default 0,
  cache_write bigint not null default 0,
  output bigint not null default 0,
  reasoning bigint not null default 0,
  amount_nanos bigint not null default 0,
  cache text not null default '',
  price text not null default '',
  constraint ledger_pkey primary key (request_id, attempt, stage),
  constraint ledger_stage check (stage in ('reserve', 'dispatched', 'final', 'correction')),
  constraint ledger_ended check (ended in ('', 'settled', 'released', 'estimated')),
  constraint ledger_amount check ((amount_nanos >= 0 or stage = 'correction') and amount_nanos <= 9007199254740991)
);
-- Reports read ended requests of one owner, or of all, in a span of time.
create index ledger_ended_at on ledger (at, owner) where stage in ('final', 'correction');
-- The free units an account has used on a UTC day, in millionths of a neuron.
create table allotments (
  account text not null,
  day text not null,
  used bigint not null default 0,
  constraint allotments_pkey primary key (account, day)
);
-- Why each request went where it went.
create table decisions (
  request_id text not null,
  at bigint not null,
  owner text not null,
  record text not null,
  constraint decisions_pkey primary key (request_id)
);
-- A purge raises a number that is part of every cache key it concerns.
create table generations (
  scope text not null,
  number bigint not null,
  constraint generations_pkey primary key (scope)
);
create table cache_counts (
  day text not null,
  kind text not null,
  hits bigint not null default 0,
  misses bigint not null default 0,
  constraint cache_counts_pkey primary key (day, kind)
);
