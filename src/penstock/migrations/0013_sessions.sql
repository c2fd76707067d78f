-- People who signed in to the dashboard. `name` is a keyed hash of what their cookie holds, and `sealed` the credential they showed: only that
-- cookie opens it. Times in milliseconds.
create table sessions (
  name text not null,
  sealed text not null,
  created_at bigint not null,
  expires_at bigint not null,
  constraint sessions_pkey primary key (name)
);
create index sessions_expires_at on sessions (expires_at);
