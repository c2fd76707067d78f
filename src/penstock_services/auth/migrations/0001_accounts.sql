-- Accounts, their sessions and what is sent to them by mail. Secrets stand here by their hash alone; times in milliseconds, 0 = never.
create table users (
  id text not null,
  tenant text not null,
  email text not null,
  email_lower text not null,
  username text not null,
  password_hash text not null,
  role text not null,
  tier text not null,
  tier_version bigint not null default 0,
  failed_logins bigint not null default 0,
  locked_until bigint not null default 0,
  verified_at bigint not null default 0,
  created_at bigint not null,
  last_login_at bigint not null default 0,
  constraint users_pkey primary key (id),
  constraint users_email_lower_key unique (email_lower)
);
create table sessions (
  id text not null,
  user_id text not null,
  created_at bigint not null,
  expires_at bigint not null,
  ended_at bigint not null default 0,
  constraint sessions_pkey primary key (id)
);
create index sessions_user_id on sessions (user_id);
create index sessions_expires_at on sessions (expires_at);
-- A session's refresh tokens; one that has a successor was used, and used again it ends the session.
create table refresh_tokens (
  hash text not null,
  session text not null,
  successor text not null default '',
  expires_at bigint not null,
  constraint refresh_tokens_pkey primary key (hash)
);
create index refresh_tokens_expires_at on refresh_tokens (expires_at);
-- What proves that a mail was read: to verify an address (with the password of that registration), or to reset a password.
create table letters (
  hash text not null,
  user_id text not null,
  purpose text not null,
  password_hash text not null default '',
  username text not null default '',
  expires_at bigint not null,
  constraint letters_pkey primary key (hash)
);
create index letters_user_id on letters (user_id, purpose);
create index letters_expires_at on letters (expires_at);
-- Keys that sign tokens where the service runs alone; the private half is sealed with the installation's secret.
create table signing_keys (
  number bigint not null,
  kid text not null,
  public text not null,
  sealed text not null,
  created_at bigint not null,
  constraint signing_keys_pkey primary key (number)
);
