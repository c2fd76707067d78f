-- What a budget's period has reserved and spent, in nano-dollars or tokens. `beyond` is what was charged
-- beyond the cap by a provider that does not keep to the output cap it was sent. The next reserve asks without it.
create table budgets (
  budget text not null,
  starts bigint not null,
  ends bigint not null,
  cap bigint not null,
  reserved bigint not null default 0,
  spent bigint not null default 0,
  beyond bigint not null default 0,
  constraint budgets_pkey primary key (budget, starts),
  constraint budgets_cap check (reserved + spent <= cap + beyond)
);
create index budgets_ends on budgets (ends, budget);
-- What a request that has not ended holds of each; an estimated one's row stays, for a correction.
create table budget_holds (
  request_id text not null,
  budget text not null,
  starts bigint not null,
  unit text not null,
  amount bigint not null,
  settled bigint not null default 0,
  constraint budget_holds_pkey primary key (request_id, budget, starts),
  constraint budget_holds_unit check (unit in ('nanos', 'tokens'))
);
