"""What the server home asks of PostgreSQL beside the port's own statements."""

from __future__ import annotations

LOCK_KEY = 7_363_811_402
"""Held while the schema is changed: the number is Penstock's alone."""

LOCK = f"select pg_advisory_xact_lock({LOCK_KEY})"
# Groups of two processes may lock two rows in opposite order: neither waits for long, and each is then run batch by batch.
BEGIN_GROUP = "begin; set local lock_timeout = '50ms'"
EXISTS = "select to_regclass('migrations') is not null"
READ_ONLY = "select pg_is_in_recovery() or current_setting('transaction_read_only') = 'on'"
VERSION_OF_SERVER = "select current_setting('server_version_num')::bigint"
UNWRITABLE = """
select string_agg(name, ', ' order by name) from unnest($1::text[]) as name
where to_regclass(name) is not null and not (has_table_privilege(name, 'insert') and has_table_privilege(name, 'select'))
"""
# `local` and stronger survive the server's own crash, which is what the ledger asks.
LOOSE = """
select string_agg(name, ', ') from pg_settings
where name in ('fsync', 'synchronous_commit', 'full_page_writes') and setting = 'off'
"""

KEEP_SECRET = """
insert into installation (name, value) values ('cache_secret', $1) on conflict (name) do nothing
"""
SECRET = "select value from installation where name = 'cache_secret'"
