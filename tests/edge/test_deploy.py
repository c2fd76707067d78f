"""`penstock deploy cloudflare` with the real wrangler: what it builds, its local D1, and an account it speaks to by HTTP."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import penstock
from penstock.entry.cli.program import main
from penstock.entry.cloudflare import adopt
from penstock.entry.cloudflare.rehearse import MOST_BYTES
from tests.edge.account import Account, served
from tests.edge.home import HERE, PACKAGES

BIN = HERE / "node_modules" / ".bin"
SECRET = "a-secret-of-forty-characters-no-fewer-yes"
PAGES = Path(penstock.__file__).parent / "dashboard"
FOLDER = Path(".penstock/cloudflare/production")
FIRST = (
    "create table usage_tracking (id integer primary key autoincrement, user_id text not null, service text not null,"
    " provider text, model text, tokens integer, cost real, timestamp text, metadata text);"
    "create index idx_usage_user on usage_tracking (user_id, timestamp);"
    "create table rate_limits (key text primary key, count integer, reset_at integer);"
    "create table analytics_events (id integer primary key, event_type text, user_id text, data text, ip text,"
    " country text, timestamp text);"
    "create table user_registrations (id integer primary key, user_id text, email text, ip text, country text,"
    " referrer text, timestamp text);"
    "create table login_attempts (id integer primary key, email text, success integer, ip text, country text,"
    " timestamp text);"
    "create table cost_summary (date text primary key, total_cost real, cloudflare_cost real, openai_cost real,"
    " total_requests integer);"
    "create table cache_stats (service text, hits integer, misses integer, date text);"
    "create table d1_migrations (id integer primary key autoincrement, name text unique, applied_at timestamp);"
    "insert into d1_migrations (name) values ('0099_of_the_first_design.sql');"
    "insert into usage_tracking (user_id, service, tokens, cost) values ('u1', 'chat', 12, 0.5);"
    "insert into cache_stats values ('ai', 3, 4, '2026-01-01');"
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to deploy from, with tests/edge's wrangler and Node, and nothing of ours in the environment."""
    for name in os.environ:
        if name.startswith(("CLOUDFLARE_", "WRANGLER_", "PENSTOCK_", "OPENAI_", "JWT_")):
            monkeypatch.delenv(name)
    for name in ("AUTH_SERVICE_URL", "CHAT_SERVICE_URL", "BILLING_SERVICE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(
        PACKAGES, FOLDER / "python_modules", ignore=shutil.ignore_patterns("__pycache__")
    )
    (FOLDER / "deploy.json").write_text("{}")
    return tmp_path


@pytest.fixture
def account(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    made = Account()
    with served(made) as url:
        monkeypatch.setenv("CLOUDFLARE_API_BASE_URL", url)
        monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "a-token")
        monkeypatch.setenv("CLOUDFLARE_ACCOUNT_ID", "acc")
        monkeypatch.setenv("TRIED_AT", url)
        yield made


def run(*words: str) -> int:
    return main(["deploy", "cloudflare", *words])


def wrangler(*words: str) -> str:
    """What it prints, run in the project by itself."""
    done = subprocess.run(
        [BIN / "wrangler", *words],
        cwd=FOLDER,
        env=os.environ | {"CI": "1", "WRANGLER_SEND_METRICS": "false"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def local(sql: str) -> list[dict]:
    """The rows of wrangler's own D1 on this machine."""
    [*_, last] = json.loads(wrangler("d1", "execute", "DB", "--local", "--json", "--command", sql))
    found: list[dict] = last["results"]
    return found


def test_both_workers_are_built_and_small(place, monkeypatch, capsys):
    monkeypatch.setenv("AUTH_SERVICE_URL", "https://auth.example")
    assert run("--dry-run", "--json") == 0, capsys.readouterr().err
    gateway, meter = json.loads(capsys.readouterr().out)["workers"]
    assert 500_000 < gateway["raw_bytes"] <= MOST_BYTES
    assert gateway["gzip_bytes"] < gateway["raw_bytes"]
    assert 0 < meter["raw_bytes"] < 10_000


def test_it_is_checked_without_a_login(place, monkeypatch, capsys):
    monkeypatch.setenv("AUTH_SERVICE_URL", "https://auth.example")
    assert run("--check", "--json") == 1
    checks = {one["check"]: one for one in json.loads(capsys.readouterr().out)["checks"]}
    assert "bound to the gateway" in checks["probes"]["found"]
    assert [name for name, one in checks.items() if not one["good"]] == [
        "login",
        "secret JWT_SECRET",
    ]


def test_migrations_apply_on_a_new_database(place, capsys):
    assert run() == 0
    wrangler("d1", "migrations", "apply", "DB", "--local")
    assert "No migrations to apply" in wrangler("d1", "migrations", "apply", "DB", "--local")
    standing = {row["name"] for row in local(adopt.STANDING)}
    assert {"ledger", "budgets", "api_keys", "idempotency"} <= standing
    kept = [name for name in standing if name.startswith(adopt.KEPT)]
    assert {name.removeprefix(adopt.KEPT) for name in kept} == {*adopt.views()}
    assert not [row for name in kept for row in local(f"select * from {name}")]


def test_migrations_apply_beside_the_first_designs_tables(place, capsys):
    assert run() == 0
    local(FIRST)
    local(" ".join(adopt.renames(row["name"] for row in local(adopt.STANDING))))
    wrangler("d1", "migrations", "apply", "DB", "--local")
    standing = {row["name"] for row in local(adopt.STANDING)}
    assert {f"{adopt.KEPT}{table}" for table in adopt.TABLES} | {"ledger"} <= standing
    assert not standing & {*adopt.TABLES}
    [newest] = local("select max(name) as name from d1_migrations")
    assert newest["name"] == max(file.name for file in FOLDER.glob("migrations/*.sql"))
    [kept] = local("select user_id, tokens, cost from first_usage_tracking")
    assert kept == {"user_id": "u1", "tokens": 12, "cost": 0.5}
    assert local("select hits from first_cache_stats") == [{"hits": 3}]


def pages_of(worker: str) -> dict[str, dict[str, bytes]]:
    """What an account is to serve: the dashboard's built pages by that Worker, or nothing where none are built."""
    files = [file for file in PAGES.rglob("*") if file.is_file()]
    pages = {f"/{file.relative_to(PAGES).as_posix()}": file.read_bytes() for file in files}
    if not pages:
        return {}
    assert "/index.html" in pages
    assert any(path.startswith("/assets/") for path in pages)
    return {worker: pages}


def apply() -> int:
    return run("--apply", "--json", "--url", os.environ["TRIED_AT"])


def test_applied_to_an_empty_account(account, monkeypatch, capsys):
    monkeypatch.setenv("JWT_SECRET", SECRET)
    assert apply() == 0, capsys.readouterr().err
    shown = capsys.readouterr()
    assert json.loads(shown.out)["worker"] == "penstock"
    assert [one["title"] for one in account.kv] == ["penstock-kv"]
    assert (account.r2, [*account.vectorize]) == (["penstock-blobs"], ["document-vectors"])
    found = account.metadata["document-vectors"]
    assert [one["propertyName"] for one in found] == ["owner", "document"]
    assert account.secrets == {"penstock": {"JWT_SECRET": SECRET}}
    [database] = account.d1
    rows = account.database(database["uuid"]).execute("select name from d1_migrations").fetchall()
    assert len(rows) == len([*FOLDER.glob("migrations/*.sql")])
    assert b"penstock/gateway/chat.py" in account.uploads["penstock"]
    assert account.assets == pages_of("penstock")
    assert b"new_sqlite_classes" in account.uploads["penstock-meter"]
    everything = [*account.uploads.values(), shown.out.encode(), shown.err.encode()]
    assert [where for where in everything if SECRET.encode() in where] == []
    assert account.unknown == []


def test_the_meter_is_bound_to_the_gateway_once_that_is_there(account, monkeypatch, capsys):
    monkeypatch.setenv("JWT_SECRET", SECRET)
    monkeypatch.setenv("AUTH_SERVICE_URL", "https://auth.example")
    assert apply() == 0, capsys.readouterr().err
    assert b'"service":"penstock"' in account.uploads["penstock-meter"]
    # Once without the binding: Cloudflare takes none to a Worker that is not there.
    assert len(account.versions["penstock-meter"]) == 2
    assert account.unknown == []


def test_a_first_design_worker_is_replaced_and_comes_back_where_ours_fails(
    account, monkeypatch, capsys
):
    monkeypatch.setenv("JWT_SECRET", SECRET)
    account.versions["penstock"] = ["00000000-0000-0000-0000-00000000f125"]
    account.d1.append({"uuid": "11111111-1111-1111-1111-111111111111", "name": "penstock"})
    database = account.database("11111111-1111-1111-1111-111111111111")
    database.executescript(FIRST)
    account.healthy = False
    monkeypatch.setattr("penstock.entry.cloudflare.smoke.TRIES", 1)
    assert apply() == 1
    said = capsys.readouterr().err
    assert "/readyz answers 503: binding DB is missing; version" in said
    assert account.versions["penstock"][-1] == "00000000-0000-0000-0000-00000000f125"
    assert database.execute("select tokens from usage_tracking").fetchone()[0] == 12
