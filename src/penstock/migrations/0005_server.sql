-- What an installation's processes share; the cache's secret is made once.
create table installation (
  name text not null,
  value text not null,
  constraint installation_pkey primary key (name)
);
-- Bounded values with an expiry in milliseconds, such as kept replies.
create table blobs (
  key text not null,
  value bytea not null,
  until bigint not null,
  constraint blobs_pkey primary key (key)
);
create index blobs_until on blobs (until);
