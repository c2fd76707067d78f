-- What the processes of the server home share beside the books; empty where one process has files of its own for it.
create table installation (
  name text not null,
  value text not null,
  constraint installation_pkey primary key (name)
);
-- Replies kept under an Idempotency-Key; `until` in seconds since the epoch.
create table blobs (
  key text not null,
  until double precision not null,
  size bigint not null,
  value bytea not null,
  constraint blobs_pkey primary key (key)
);
create index blobs_until on blobs (until, size);
