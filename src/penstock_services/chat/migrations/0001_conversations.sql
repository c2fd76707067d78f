-- Conversations and what was said in them, by owner (tenant and user); times in milliseconds, 0 = never.
create table conversations (
  id text not null,
  owner text not null,
  title text not null,
  model text not null,
  pinned bigint not null default 0,
  created_at bigint not null,
  updated_at bigint not null,
  deleted_at bigint not null default 0,
  constraint conversations_pkey primary key (id)
);
create index conversations_owner on conversations (owner, pinned, updated_at, id);
create table messages (
  id text not null,
  conversation text not null,
  position bigint not null,
  role text not null,
  content text not null,
  model text not null,
  tokens bigint not null,
  cost_nanos bigint not null,
  created_at bigint not null,
  constraint messages_pkey primary key (id),
  constraint messages_position_key unique (conversation, position)
);
