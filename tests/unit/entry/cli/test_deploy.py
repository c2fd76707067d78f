"""`penstock deploy cloudflare` with a wrangler that answers as the real one does, and one that fails."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from penstock import __version__
from penstock.entry.cli import deploy
from penstock.entry.cli.program import main
from penstock.entry.cloudflare import smoke, vendor
from penstock.entry.cloudflare.judge import judge
from penstock.entry.known import known_models
from tests.unit.entry.cloudflare import fake_wrangler

SECRET = "a-secret-of-forty-characters-no-fewer-yes"
DIMENSION = judge("", {}, known_models("2026-11-23")).dimension
FIRST = ["usage_tracking", "rate_limits", "sqlite_sequence"]
NEW = {
    "calls": [], "fail": {}, "login": True, "accounts": ["mine"], "kv": [], "d1": [], "r2": [],
    "vectorize": {}, "metadata": [], "secrets": {}, "versions": [], "tables": [],
}  # fmt: skip


class Account:
    """What the fake wrangler finds, and what it was asked."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(**NEW)

    def set(self, **changes: object) -> None:
        state = self.state if self._file.exists() else {}
        self._file.write_text(json.dumps(state | changes))

    @property
    def state(self) -> dict:
        found: dict = json.loads(self._file.read_text())
        return found

    @property
    def commands(self) -> list[str]:
        return [" ".join(words) for words in self.state["calls"]]


@pytest.fixture
def account(home: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An empty account, a wrangler and a node on PATH, python_modules without PyPI, and no pauses."""
    bin = home / "bin"
    bin.mkdir()
    script = Path(fake_wrangler.__file__).read_text()
    _executable(bin / "wrangler", f"#!{sys.executable} -IS\n{script}")
    _executable(bin / "node", "#!/bin/sh\necho v22.23.3\n")
    monkeypatch.setenv("PATH", f"{bin}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_WRANGLER", str(home / "account.json"))
    monkeypatch.setattr(vendor, "vendor", lambda folder: folder.mkdir(exist_ok=True))
    monkeypatch.setattr(smoke, "PAUSE_SECONDS", 0.0)
    health(monkeypatch, 200)
    return Account(home / "account.json")


def _executable(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o755)


def health(monkeypatch: pytest.MonkeyPatch, ready: int) -> None:
    body = json.dumps({"status": "healthy", "version": __version__}).encode()

    def fetch(url: str) -> tuple[int, bytes]:
        assert url.startswith("https://penstock.me.workers.dev/")
        return (200, body) if url.endswith("/health") else (ready, b'{"title": "DB is missing"}')

    monkeypatch.setattr(deploy, "fetch", fetch)


def run(*words: str) -> int:
    return main(["deploy", "cloudflare", *words])


def test_apply_makes_what_is_missing_in_order(account, monkeypatch, capsys):
    monkeypatch.setenv("JWT_SECRET", SECRET)
    assert run("--apply", "--json") == 0
    shown = capsys.readouterr()
    assert account.commands == [
        "whoami --json",
        "secret list --format json",
        "kv namespace list",
        "kv namespace create penstock-kv",
        "kv namespace list",
        "d1 list --json",
        "d1 create penstock",
        "d1 list --json",
        "r2 bucket info penstock-blobs --json",
        "r2 bucket create penstock-blobs",
        "vectorize list --json",
        f"vectorize create document-vectors --dimensions={DIMENSION} --metric=cosine",
        "vectorize list-metadata-index document-vectors --json",
        "vectorize create-metadata-index document-vectors --propertyName=owner --type=string",
        "vectorize create-metadata-index document-vectors --propertyName=document --type=string",
        "d1 execute DB --remote --command select name from sqlite_master where type = 'table' --json",
        "secret bulk",
        "deploy --config meter/wrangler.jsonc",
        "d1 migrations apply DB --remote",
        "deploy --config wrangler.jsonc",
    ]
    told = json.loads(shown.out)
    assert told["url"] == "https://penstock.me.workers.dev"
    assert (told["resources"]["kv_id"], told["resources"]["d1_id"]) == (
        "kv-penstock-kv",
        "d1-penstock",
    )
    assert account.state["secrets"] == {"JWT_SECRET": SECRET}
    assert SECRET not in shown.out + shown.err
    written = Path(".penstock/cloudflare/production/wrangler.jsonc").read_text()
    assert '"id": "kv-penstock-kv"' in written
    assert '"database_id": "d1-penstock"' in written
    assert "· KV namespace penstock-kv: wrangler kv namespace create penstock-kv\n" in shown.err


def test_applied_again_it_makes_nothing(account, monkeypatch, capsys):
    monkeypatch.setenv("JWT_SECRET", SECRET)
    assert run("--apply") == 0
    monkeypatch.delenv("JWT_SECRET")
    account.set(calls=[])
    assert run("--apply") == 0
    assert [c for c in account.commands if "create" in c or "secret bulk" in c] == []
    assert "penstock serves at https://penstock.me.workers.dev" in capsys.readouterr().out


def test_a_missing_secret_is_named_before_anything_is_made(account, capsys):
    assert run("--apply") == 1
    assert account.commands == ["whoami --json", "secret list --format json"]
    assert "deploy_failed: JWT_SECRET not set" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"login": False}, "not logged in; log in by"),
        ({"accounts": ["a", "b"]}, "CLOUDFLARE_ACCOUNT_ID"),
    ],
)
def test_the_wrong_login_ends_it_at_once(account, monkeypatch, capsys, changes, said):
    monkeypatch.setenv("JWT_SECRET", SECRET)
    account.set(**changes)
    assert run("--apply") == 1
    assert account.commands == ["whoami --json"]
    assert said in capsys.readouterr().err


def test_a_failure_in_the_middle_is_told_and_found_again(account, monkeypatch, capsys):
    monkeypatch.setenv("JWT_SECRET", SECRET)
    account.set(
        fail={
            "r2 bucket create": "Please enable R2 through the Cloudflare Dashboard. [code: 10042]"
        }
    )
    assert run("--apply") == 1
    shown = capsys.readouterr().err
    assert "`wrangler r2 bucket create penstock-blobs` failed: Please enable R2" in shown
    assert "enable R2 in the account's dashboard" in shown
    assert account.commands[-1] == "r2 bucket create penstock-blobs"
    account.set(fail={}, calls=[])
    assert run("--apply") == 0
    assert [c for c in account.commands if c.startswith(("kv namespace create", "d1 create"))] == []


def test_the_first_designs_tables_are_kept(account, monkeypatch, capsys):
    monkeypatch.setenv("JWT_SECRET", SECRET)
    account.set(tables=FIRST, versions=["first"], kv=[{"id": "k1", "title": "old"}])
    words = (
        "--name",
        "my-saas-chat-gateway",
        "--d1-name",
        "my-saas-chat-db",
        "--d1-id",
        "d1",
        "--kv-id",
        "k1",
    )
    assert run("--apply", "--json", *words) == 0
    assert account.state["tables"] == [
        "first_usage_tracking",
        "first_rate_limits",
        "sqlite_sequence",
    ]
    assert json.loads(capsys.readouterr().out)["kept"] == [
        "first_usage_tracking",
        "first_rate_limits",
    ]
    assert not [c for c in account.commands if c.startswith(("kv", "d1 create", "d1 list"))]
    options = json.loads(Path(".penstock/cloudflare/production/deploy.json").read_text())
    assert (options["name"], options["d1_id"]) == ("my-saas-chat-gateway", "d1")


def test_a_failed_smoke_test_rolls_back_the_worker_and_its_tables(account, monkeypatch, capsys):
    monkeypatch.setenv("JWT_SECRET", SECRET)
    account.set(tables=FIRST, versions=["first"])
    health(monkeypatch, 503)
    assert run("--apply") == 1
    assert account.state["versions"][-1] == "first"
    assert account.state["tables"] == FIRST
    shown = capsys.readouterr().err
    assert "/readyz answers 503: DB is missing; version first serves again" in shown


def test_a_first_deployment_that_fails_stays_and_says_so(account, monkeypatch, capsys):
    monkeypatch.setenv("JWT_SECRET", SECRET)
    health(monkeypatch, 503)
    assert run("--apply") == 1
    assert not [c for c in account.commands if c.startswith("rollback")]
    assert "no earlier version to go back to" in capsys.readouterr().err


def test_a_rollback_that_fails_names_the_command(account, monkeypatch, capsys):
    monkeypatch.setenv("JWT_SECRET", SECRET)
    account.set(versions=["first"], fail={"rollback": "no"})
    health(monkeypatch, 503)
    assert run("--apply") == 1
    assert "run `npx wrangler rollback first`" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", ["d1 migrations", "deploy --config wrangler", "deploy --config meter"]
)
def test_what_fails_before_it_serves_gives_the_tables_back(account, monkeypatch, capsys, command):
    monkeypatch.setenv("JWT_SECRET", SECRET)
    account.set(tables=FIRST, versions=["first"], fail={command: "broken"})
    assert run("--apply") == 1
    assert account.state["tables"] == FIRST
    assert account.state["versions"] == ["first"]
    assert "failed: broken" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["secret bulk", "deploy --config meter"])
def test_the_tables_of_the_one_that_serves_are_touched_last(account, monkeypatch, command):
    monkeypatch.setenv("JWT_SECRET", SECRET)
    account.set(tables=FIRST, versions=["first"], fail={command: "broken"})
    assert run("--apply") == 1
    assert account.state["versions"] == ["first"]
    assert not [c for c in account.commands if "alter" in c or "migrations" in c]


def test_tables_that_cannot_be_kept_end_it_before_anything_is_put(account, monkeypatch, capsys):
    monkeypatch.setenv("JWT_SECRET", SECRET)
    account.set(tables=[*FIRST, f"first_{FIRST[0]}"], versions=["first"])
    assert run("--apply") != 0
    assert account.state["secrets"] == {}
    assert "move those rows by hand" in capsys.readouterr().err


BACK = "d1 execute DB --remote --command drop view"


def test_tables_that_get_no_names_back_do_not_keep_the_worker_from_it(account, monkeypatch, capsys):
    monkeypatch.setenv("JWT_SECRET", SECRET)
    account.set(tables=FIRST, versions=["first"], fail={BACK: "away"})
    health(monkeypatch, 503)
    assert run("--apply") == 1
    assert account.state["versions"][-1] == "first"
    shown = capsys.readouterr().err
    assert "version first serves again; its tables still have our names for them (away)" in shown
    assert 'run `npx wrangler d1 execute DB --remote --command "drop view if exists ' in shown


def test_what_failed_first_is_told_with_what_failed_behind_it(account, monkeypatch, capsys):
    monkeypatch.setenv("JWT_SECRET", SECRET)
    account.set(tables=FIRST, versions=["first"], fail={BACK: "away", "d1 migrations": "broken"})
    assert run("--apply") == 1
    shown = capsys.readouterr().err
    assert "failed: broken" in shown
    assert "its tables still have our names for them (away)" in shown


def test_an_index_of_another_length_is_refused(account, monkeypatch, capsys):
    monkeypatch.setenv("JWT_SECRET", SECRET)
    account.set(vectorize={"document-vectors": 512})
    assert run("--apply") == 1
    assert (
        f"document-vectors has 512 dimensions and cloudflare/@cf/baai/bge-base-en-v1.5 makes {DIMENSION}"
        in capsys.readouterr().err
    )


def test_rollback_has_the_version_before_serve(account, capsys):
    assert run("--rollback") == 1
    assert "has no project" in capsys.readouterr().err
    assert run() == 0
    assert run("--rollback", "--json") == 0
    assert account.commands[-1].startswith("rollback --message")


def test_written_it_says_what_is_next(account, capsys):
    assert run("--json", "--env", "staging") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["project"] == ".penstock/cloudflare/staging"
    assert (told["worker"], told["meter"]) == ("penstock-staging", "penstock-staging-meter")
    assert told["secrets"] == ["JWT_SECRET"]
    assert account.commands == []
    assert run("--env", "staging") == 0
    assert "Next: --check" in capsys.readouterr().out


def test_options_are_kept_in_the_project(account, capsys):
    assert run("--name", "edge", "--kv-id", "k") == 0
    capsys.readouterr()
    assert run("--json") == 0
    assert json.loads(capsys.readouterr().out)["worker"] == "edge"
    assert run("--env", "staging", "--out", ".penstock/cloudflare/production") == 2
    assert "project of production" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "A", "a_b", "a" * 46])
def test_names_must_be_workers(account, capsys, name):
    assert run("--name", name) == 2
    assert "no Worker's name" in capsys.readouterr().err


def test_other_peoples_folders_stay(account, home, capsys):
    assert run("--out", ".") == 1
    assert "holds other things" in capsys.readouterr().err


def test_modes_exclude_each_other(account, capsys):
    assert run("--check", "--apply") == 2
    assert run("--out", "x", "--vendor", "none") == 1
    assert "python_modules is not there" in capsys.readouterr().err


def checks(capsys) -> dict[str, bool]:
    return {one["check"]: one["good"] for one in json.loads(capsys.readouterr().out)["checks"]}


def test_check_is_good_where_all_is_there(account, monkeypatch, capsys):
    monkeypatch.setenv("JWT_SECRET", SECRET)
    assert run("--check", "--json") == 0
    found = checks(capsys)
    assert {*found} == {
        "node", "wrangler", "python_modules", "login", "configuration", "secret JWT_SECRET", "resources", "documents",
    }  # fmt: skip
    assert not Path(".penstock").exists()
    assert account.commands == ["whoami --json"]


def test_check_takes_a_secret_that_was_put(account, capsys):
    account.set(secrets={"JWT_SECRET": SECRET})
    assert run("--check") == 0
    assert "✓ secret JWT_SECRET: was put already" in capsys.readouterr().out


def test_check_names_what_is_wrong(account, home, capsys):
    account.set(login=False)
    Path("penstock.toml").write_text('data = "x"')
    assert run("--check", "--json") == 1
    found = checks(capsys)
    assert not found["login"]
    assert not found["configuration"]


def test_check_says_what_the_machine_lacks(account, home, capsys):
    _executable(home / "bin" / "node", "#!/bin/sh\necho v18.2.0\n")
    (home / "bin" / "wrangler").write_text("#!/bin/sh\necho 3.90.0\n")
    assert run("--check") == 1
    shown = capsys.readouterr().out
    assert "✗ node: 18.2.0; install Node 22.12 or newer" in shown
    assert "✗ wrangler: 3.90.0; npm install" in shown


def test_dry_run_needs_the_size(account, capsys):
    assert run("--dry-run") == 1
    assert "how large" in capsys.readouterr().err


def test_local_says_why_it_cannot(account, monkeypatch, capsys):
    def unknown(*_: object) -> None:
        raise OSError

    monkeypatch.setattr("penstock.entry.cloudflare.rehearse.socket.getaddrinfo", unknown)
    assert run("--local") == 1
    assert "out of reach from here" in capsys.readouterr().err
