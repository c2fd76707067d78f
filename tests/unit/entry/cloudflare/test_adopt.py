"""The first design's tables are renamed where they stand, and named back."""

from __future__ import annotations

import sqlite3

import pytest

from penstock.entry.cloudflare.adopt import STANDING, TABLES, renames, renames_back
from penstock.errors import Misconfigured


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
