"""Stores that cannot be served from: each command says which setting is wrong and what to do, and changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from penstock.entry.cli import main
from penstock.platforms.migrations import shipped
from tests.stores import PostgresServer, RedisServer, free_port

NEWEST = shipped()[-1].version
SECRET = "hunter2"


def configure(home: Path, postgres: str, redis: str) -> None:
    (home / "penstock.toml").write_text(
        f'platform = "server"\n[server]\nport = 0\n[stores]\npostgres = "{postgres}"\nredis = "{redis}"\n'
    )


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 1) -> str:
    """The one line of a command that fails."""
    assert main([*words]) == code
    line = capsys.readouterr().err.strip()
    assert "\n" not in line
    assert SECRET not in line
    return line


@pytest.fixture
def database(postgres_server: PostgresServer, redis_server: RedisServer, home: Path) -> str:
    """A database as `migrate up` leaves it, and a configuration for it."""
    dsn = postgres_server.database()
    configure(home, dsn, redis_server.url)
    assert main(["migrate", "up"]) == 0
    return dsn


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (lambda dsn: dsn + "x", "has no such database; make it by createdb"),
        (lambda dsn: dsn.replace("postgres@", f"nobody:{SECRET}@"), "refuses the user or the password"),
        (lambda dsn: dsn.replace(dsn.split(":")[2].split("/")[0], str(free_port())), "cannot be reached; start it"),
    ],
)  # fmt: skip
def test_a_wrong_address_of_postgres(
    change, wanted: str, database: str, redis_server: RedisServer, home: Path, capsys
) -> None:
    configure(home, change(database), redis_server.url)
    capsys.readouterr()
    for words in (["serve"], ["migrate", "up"], ["migrate", "status"], ["usage"]):
        line = said(capsys, *words)
        assert line.startswith("penstock: misconfigured: stores.postgres: ")
        assert wanted in line


@pytest.mark.parametrize(
    ("postgres", "redis", "wanted"),
    [
        ("", "redis://h", "stores.postgres is empty"),
        (f"mysql://u:{SECRET}@h/d", "redis://h", "stores.postgres is no address; write it as postgresql://"),
        ("postgresql://h/d", "", "stores.redis is empty"),
        ("postgresql://h/d", f"http://u:{SECRET}@h", "stores.redis is no address; write it as redis://"),
    ],
)  # fmt: skip
def test_what_is_no_address_is_told_without_asking(
    postgres: str, redis: str, wanted: str, home: Path, capsys
) -> None:
    configure(home, postgres, redis)
    assert wanted in said(capsys, "check")


def test_stores_without_their_platform_are_a_mistake(home: Path, capsys) -> None:
    (home / "penstock.toml").write_text('[stores]\nredis = "redis://h"\n')
    assert 'write platform = "server"' in said(capsys, "check")


def test_workers_without_their_platform_are_a_mistake(home: Path, capsys) -> None:
    assert 'platform = "server"' in said(capsys, "serve", "--workers", "2", code=2)
    assert main(["serve", "--workers", "0"]) == 2


def test_a_wrong_address_of_redis(database: str, home: Path, capsys) -> None:
    configure(home, database, f"redis://:{SECRET}@127.0.0.1:{free_port()}")
    capsys.readouterr()
    assert "stores.redis: 127.0.0.1" in said(capsys, "serve")
    assert "stores.redis: 127.0.0.1" in said(capsys, "serve", "--workers", "2")


def test_a_redis_that_drops_counts_is_refused(
    database: str, redis_server: RedisServer, home: Path, capsys
) -> None:
    capsys.readouterr()
    redis_server.ask("CONFIG SET maxmemory 100mb")
    redis_server.ask("CONFIG SET maxmemory-policy allkeys-lru")
    try:
        assert "set maxmemory-policy noeviction" in said(capsys, "serve")
    finally:
        redis_server.ask("CONFIG SET maxmemory 0")
        redis_server.ask("CONFIG SET maxmemory-policy noeviction")


def test_a_schema_that_is_missing_or_older_is_migrated_by_migrate_alone(
    postgres_server: PostgresServer, redis_server: RedisServer, home: Path, capsys
) -> None:
    dsn = postgres_server.database()
    configure(home, dsn, redis_server.url)
    assert f"at migration 0, and this Penstock needs {NEWEST}; run `penstock migrate up`" in said(
        capsys, "serve"
    )
    assert "run `penstock migrate up`" in said(capsys, "keys", "create", "--sub", "s")
    name = dsn.rpartition("/")[2]
    assert postgres_server.sql(name, "select to_regclass('ledger') is null") == "t"
    assert main(["migrate", "up"]) == 0
    assert capsys.readouterr().out == f"migrated from 0 to {NEWEST}\n"
    postgres_server.sql(name, f"delete from migrations where version = {NEWEST}")
    assert f"at migration {NEWEST - 1}, and" in said(capsys, "serve")
    postgres_server.sql(
        name, f"insert into migrations values ({NEWEST}, 'x', 0), ({NEWEST + 1}, 'y', 0)"
    )
    for words in (["serve"], ["migrate", "up"]):
        assert "written by a newer Penstock" in said(capsys, *words)


def test_a_database_that_may_not_be_written_is_refused(
    postgres_server: PostgresServer, redis_server: RedisServer, database: str, home: Path, capsys
) -> None:
    name = database.rpartition("/")[2]
    postgres_server.sql(
        name, f"create role reader login; grant connect on database {name} to reader"
    )
    postgres_server.sql(name, "grant select on all tables in schema public to reader")
    configure(home, database.replace("postgres@", "reader@"), redis_server.url)
    capsys.readouterr()
    assert "this user may not write the tables" in said(capsys, "serve")
    granted = "select, insert, update, delete on all tables in schema public to reader"
    postgres_server.sql(name, f"grant {granted}")
    for table in ("alert_turns", "sessions"):  # as where a migration added them after the grant
        postgres_server.sql(name, f"revoke all on {table} from reader")
    assert "may not write the tables alert_turns, sessions in" in said(capsys, "serve")
    configure(home, database, redis_server.url)
    postgres_server.sql(name, f"alter database {name} set default_transaction_read_only = on")
    assert "the database is read-only; name the primary" in said(capsys, "serve")


def test_the_doctor_looks_at_every_store(
    database: str, redis_server: RedisServer, home: Path, capsys
) -> None:
    capsys.readouterr()
    assert main(["doctor", "--offline", "--json"]) == 1
    found = {one["check"]: one for one in json.loads(capsys.readouterr().out)["checks"]}
    assert found["redis"]["good"]
    # The tests' PostgreSQL is quick because it may lose what it acknowledged in a loss of power.
    assert found["postgres"]["mend"] == "set fsync, full_page_writes on"
    configure(home, database + "x", f"redis://127.0.0.1:{free_port()}")
    assert main(["doctor", "--offline"]) == 1
    lines = capsys.readouterr().out
    assert "✗ postgres: " in lines
    assert "make it by createdb" in lines
    assert "✗ redis: 127.0.0.1" in lines


def test_migrating_goes_on_where_the_index_of_a_model_cannot_be_made(
    database: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    capsys.readouterr()
    assert main(["migrate", "up", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["index"] == "ready"
    monkeypatch.setattr("penstock.entry.home.embeds", lambda *_: ("small", 3))
    assert main(["migrate", "up"]) == 0
    assert "documents cannot be searched: stores.postgres: the server has no pgvector" in (
        capsys.readouterr().out
    )
