-- One ending a request, whatever attempt it names: whoever comes second gets Conflict(ledger_final). A hit of the cache
-- has no hold, so nothing can end it twice, and it pays nothing for this.
create unique index ledger_final on ledger (request_id) where stage = 'final' and cache = '';
-- The reconciler walks holds by the end of their lease,
create index ledger_lease on ledger (lease_until, request_id) where stage = 'reserve';
-- and estimates by age, until the provider tells the truth.
create index ledger_estimated on ledger (at, request_id) where stage = 'final' and ended = 'estimated';
