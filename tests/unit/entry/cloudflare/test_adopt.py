"""The first design's tables are renamed where they stand, and named back."""

from __future__ import annotations

import sqlite3

import pytest

from penstock.entry.cloudflare.adopt import STANDING, TABLES, renames, renames_back
from penstock.errors import Misconfigured
from penstock.platforms.migrations import shipped


def names(database: sqlite3.Connection) -> set[str]:
    return {name for (name,) in database.execute(STANDING)}


def test_rows_stay_under_the_kept_name_and_come_back():
    database = sqlite3.connect(":memory:")
    for table in (*TABLES, "ledger"):
        database.execute(f"create table {table} (a)")
    database.execute("insert into cache_stats values (7)")
    done = renames(names(database))
    database.executescript(" ".join(done))
    assert names(database) == {"ledger", *(f"first_{table}" for table in TABLES)}
    assert database.execute("select a from first_cache_stats").fetchall() == [(7,)]
    assert renames(names(database)) == []
    database.executescript(" ".join(renames_back(done)))
    assert names(database) == {"ledger", *TABLES}


def test_its_account_of_migrations_is_put_aside_until_ours_has_begun():
    account = "alter table d1_migrations rename to first_d1_migrations;"
    stood = ["rate_limits", "d1_migrations"]
    assert renames(stood)[1:] == [account]
    assert renames(["ledger", *stood]) == renames(["rate_limits"])
    assert renames(["d1_migrations"]) == []
    assert renames_back(renames(stood)) == renames_back(renames(["rate_limits"]))


def test_nothing_stands_nothing_is_done():
    assert renames(["ledger", "sqlite_sequence"]) == []


def test_a_kept_name_that_is_taken_is_refused():
    with pytest.raises(Misconfigured, match="rate_limits beside first_rate_limits"):
        renames(["rate_limits", "first_rate_limits", "cache_stats"])


FIRST = """
create table usage_tracking (
  id integer primary key autoincrement, user_id text, service text, provider text, model text, tokens integer, cost real,
  timestamp text, metadata text
);
create table rate_limits (key text primary key, count integer, reset_at integer);
create table user_registrations (user_id text, email text, ip text, country text, referrer text, timestamp text);
create table login_attempts (email text, success integer, ip text, country text, timestamp text);
create table cost_summary (
  date text, total_cost real, cloudflare_cost real, openai_cost real, total_requests integer, cache_hits integer
);
create table cache_stats (service text, hits integer, misses integer, date text);
insert into usage_tracking (user_id, tokens, cost) values ('u1', 10, 0.5);
insert into cost_summary values ('2026-01-01', 1.5, 0.5, 1.0, 3, 1);
"""
OURS = """
insert into ledger (request_id, attempt, stage, ended, at, sub, provider, input, amount_nanos)
values ('req_1', 1, 'final', 'settled', 1767225600000, 'u2', 'openai', 20, 250000000)
"""


def test_the_views_have_both_and_go_and_come_with_the_tables():
    database = sqlite3.connect(":memory:")
    database.executescript(FIRST)
    done = renames(names(database))
    database.executescript(" ".join(done))
    for step in shipped():
        database.executescript(step.sql)
    database.execute(OURS)
    both = [("1", "u1", 10, 0.5), ("req_1", "u2", 20, 0.25)]
    asked = "select id, user_id, tokens, cost from usage_tracking order by id"
    assert database.execute(asked).fetchall() == both
    days = (
        "select date, total_cost, openai_cost, total_requests from cost_summary order by total_cost"
    )
    summed = [("2026-01-01", 0.25, 0.25, 1), ("2026-01-01", 1.5, 1.0, 3)]
    assert database.execute(days).fetchall() == summed
    database.executescript(" ".join(renames_back(done)))
    assert database.execute(asked).fetchall() == [(1, "u1", 10, 0.5)]
    database.execute("insert into usage_tracking (user_id, tokens, cost) values ('u1', 1, 0.1)")
    database.executescript(" ".join(renames(names(database))))
    assert database.execute(asked).fetchall() == [both[0], ("2", "u1", 1, 0.1), both[1]]
    assert database.execute(days).fetchall() == summed
