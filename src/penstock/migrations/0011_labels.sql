-- What callers said of their own requests, the last word under each name; `at` in milliseconds.
create table feedback (
  request_id text not null,
  name text not null,
  owner text not null,
  tenant text not null,
  value double precision not null,
  at bigint not null,
  constraint feedback_pkey primary key (request_id, name)
);
create index feedback_at on feedback (at);
create index feedback_tenant on feedback (tenant);
-- Two targets' answers to one request, judged from 0 to 1. Texts are empty unless the tenant agreed; `features` are
-- hashes of the prompt's, by which a router learns, with the version of what made them.
create table labels (
  request_id text not null,
  shadow_id text not null,
  at bigint not null,
  owner text not null,
  tenant text not null,
  route text not null,
  judge text not null,
  weak_target text not null,
  strong_target text not null,
  weak double precision not null,
  strong double precision not null,
  weak_nanos bigint not null,
  strong_nanos bigint not null,
  features text not null,
  prompt text not null,
  weak_answer text not null,
  strong_answer text not null,
  constraint labels_pkey primary key (request_id),
  constraint labels_scores check (weak >= 0 and weak <= 1 and strong >= 0 and strong <= 1)
);
create index labels_at on labels (at);
create index labels_tenant on labels (tenant);
-- Prompts of tenants who agreed to have them in an exported log.
create table prompts (
  request_id text not null,
  at bigint not null,
  owner text not null,
  tenant text not null,
  messages text not null,
  constraint prompts_pkey primary key (request_id)
);
create index prompts_at on prompts (at);
create index prompts_tenant on prompts (tenant);
