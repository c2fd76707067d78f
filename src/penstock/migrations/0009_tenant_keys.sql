-- Tenants' own keys for providers, sealed by a master key whose id stands beside; `at` in milliseconds.
create table tenant_keys (
  tenant text not null,
  provider text not null,
  master text not null,
  sealed text not null,
  last4 text not null,
  at bigint not null,
  constraint tenant_keys_pkey primary key (tenant, provider)
);
