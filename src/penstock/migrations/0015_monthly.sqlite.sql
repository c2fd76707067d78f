-- Sums of many values are read a month at a time, and stood in the order in which they were written: a look each, of a row here and there.
-- Now they stand in the order of their key, which is one tree to read and to write instead of two.
create table usage_dimensions_by_key (
  dimension text not null,
  day bigint not null,
  value text not null,
  requests bigint not null,
  cached bigint not null,
  free bigint not null,
  estimated bigint not null,
  tokens bigint not null,
  amount_nanos bigint not null,
  constraint usage_dimensions_pkey primary key (dimension, day, value)
) without rowid;
insert into usage_dimensions_by_key (dimension, day, value, requests, cached, free, estimated, tokens, amount_nanos)
select dimension, day, value, requests, cached, free, estimated, tokens, amount_nanos from usage_dimensions order by dimension, day, value;
drop table usage_dimensions;
alter table usage_dimensions_by_key rename to usage_dimensions;
