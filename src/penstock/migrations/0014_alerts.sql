-- Alerts: whose turn it is to judge, and what was counted lately. One row, made by the first, whose version moves in the batch that judges, from where it was read.
create table alert_turns (
  name text not null,
  version bigint not null,
  due_at bigint not null,
  lease_until bigint not null,
  samples text not null,
  constraint alert_turns_pkey primary key (name),
  constraint alert_turns_moved check (version >= 0)
);
-- What a process saw of a provider or a backend in a minute: how often it failed, by its own fault.
create table alert_words (
  subject text not null,
  minute bigint not null,
  number bigint not null,
  constraint alert_words_pkey primary key (subject, minute)
);
create index alert_words_minute on alert_words (minute);
-- What is pending or firing: a row a rule and subject, as JSON. What is neither has none.
create table alert_states (
  rule text not null,
  subject text not null,
  state text not null,
  constraint alert_states_pkey primary key (rule, subject)
);
-- What is to be told, once each, and to whom.
create table alert_notices (
  id text not null,
  at bigint not null,
  rule text not null,
  event text not null,
  notice text not null,
  constraint alert_notices_pkey primary key (id)
);
create index alert_notices_at on alert_notices (at);
create table alert_deliveries (
  id text not null,
  notice text not null,
  channel text not null,
  at bigint not null,
  due_at bigint not null,
  attempts bigint not null,
  status text not null,
  outcome text not null,
  ended_at bigint not null,
  constraint alert_deliveries_pkey primary key (id)
);
create index alert_deliveries_due on alert_deliveries (channel, id) where outcome = '';
create index alert_deliveries_ended on alert_deliveries (ended_at) where outcome <> '';
