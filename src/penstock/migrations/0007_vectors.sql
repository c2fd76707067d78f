-- What Vectorize holds, for the home at the edge; empty elsewhere. Owners and documents are hashes, ids are hex: any text is plain there.
create table vector_index (
  one integer not null,
  model text not null,
  dimension integer not null,
  mutation text not null,
  mutated bigint not null,
  constraint vector_index_pkey primary key (one)
);
-- A row is found while `gone` is 0; else it is the time in ms since when its vector may still have to be deleted.
create table vectors (
  key text not null,
  owner text not null,
  id text not null,
  document text not null,
  gone bigint not null,
  constraint vectors_pkey primary key (key)
);
create unique index vectors_live on vectors (owner, id) where gone = 0;
create index vectors_document on vectors (owner, document) where gone = 0;
create index vectors_gone on vectors (gone) where gone > 0;
