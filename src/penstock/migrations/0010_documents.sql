-- Documents that were uploaded, and how far each has come; times in milliseconds. Whoever works on one is its `holder` until `lease_until`.
-- `model` is that of the index it is in, once it is ready. A deleted one has its id in place of its hash, and goes once nobody can still be working on it.
create table documents (
  id text not null,
  owner text not null,
  hash text not null,
  filename text not null,
  declared text not null,
  kind text not null,
  title text not null,
  bytes bigint not null,
  shared integer not null,
  state text not null,
  reason text not null,
  message text not null,
  model text not null,
  chunks integer not null,
  done integer not null,
  tenant text not null,
  sub text not null,
  tier text not null,
  key_id text not null,
  at bigint not null,
  changed_at bigint not null,
  holder text not null,
  lease_until bigint not null,
  tries integer not null,
  constraint documents_pkey primary key (id),
  constraint documents_content unique (owner, hash),
  constraint documents_state check (state in ('queued', 'parsing', 'embedding', 'ready', 'failed', 'deleted'))
);
create index documents_of on documents (owner, id);
create index documents_due on documents (lease_until) where state in ('queued', 'parsing', 'embedding');
create index documents_deleted on documents (lease_until) where state = 'deleted';
create index documents_failed on documents (changed_at) where state = 'failed';
-- Their chunks: literal spans of the text, counted in characters, with what they stand under as a JSON list.
create table passages (
  id text not null,
  document text not null,
  number integer not null,
  begins integer not null,
  ends integer not null,
  text text not null,
  titles text not null,
  constraint passages_pkey primary key (id)
);
create index passages_document on passages (document);
-- Whose they are: how many of at most how many, a version that moves with what can be found, and when one of theirs was last begun.
create table document_owners (
  owner text not null,
  count integer not null,
  most integer not null,
  version bigint not null,
  served_at bigint not null,
  constraint document_owners_pkey primary key (owner),
  constraint document_owners_quota check (count <= most)
);
