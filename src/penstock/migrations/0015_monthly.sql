-- The report of a month, made once by whoever claims it; `tenant` is empty where it is of all. `outcome` is empty while it waits.
create table monthly_reports (
  month text not null,
  tenant text not null,
  due_at bigint not null,
  attempts bigint not null default 0,
  outcome text not null default '',
  ended_at bigint not null default 0,
  error text not null default '',
  constraint monthly_reports_pkey primary key (month, tenant)
);
