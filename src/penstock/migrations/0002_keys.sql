-- API keys, by the hash of what their holders show; times in milliseconds, 0 = never.
create table api_keys (
  id text not null,
  hash text not null,
  sub text not null,
  tenant text not null,
  tier text not null,
  scopes text not null,
  name text not null default '',
  created_at bigint not null,
  expires_at bigint not null default 0,
  revoked_at bigint not null default 0,
  constraint api_keys_pkey primary key (id),
  constraint api_keys_hash_key unique (hash)
);
create index api_keys_created_at on api_keys (created_at, id);
-- Revoked credentials, by hash, until no cache and no stream can still hold them.
create table revocations (
  credential text not null,
  until bigint not null,
  at bigint not null,
  constraint revocations_pkey primary key (credential)
);
