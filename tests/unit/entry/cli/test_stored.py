"""The commands that read and write what the gateway keeps: keys, usage, explain, cache, migrate."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest

from penstock.auth import keys
from penstock.entry.cli import main
from penstock.ledger import decisions, sql
from penstock.ledger.decisions import Decision
from penstock.platforms.embedded import open_tables
from penstock.platforms.embedded.meter import EPOCH_FILE

NOON = 1_764_590_400_000  # 2025-12-01T12:00:00Z
NONE = (0,) * 5


def at_home(work):
    """What `work(tables)` gives on the tables that the commands will use."""

    async def do():
        async with open_tables(".penstock") as tables:
            return await work(tables)

    return asyncio.run(do())


def said(capsys, *argv, code=0):
    assert main(argv) == code
    out, err = capsys.readouterr()
    assert err == ""
    return out


def said_json(capsys, *argv):
    return json.loads(said(capsys, *argv, "--json"))


def final(request, at, owner, model, tokens, nanos, cache="miss"):
    """A settled request as a ledger row."""
    tenant, _, sub = owner.partition("/")
    counts = (tokens, 0, 0, 0, 0, nanos)
    names = (owner, tenant, sub, "", "auto", "chat", "openai", model, f"openai/{model}")
    return sql.FINAL, (request, 1, "settled", at, *names, *counts, cache)


async def used(tables):
    decision = Decision(
        "req_1", "chat", asked="auto", route="auto", policy="heuristic", reason="code",
        features={"tokens": 7}, ranks=("openai/gpt-4o",), target="openai/gpt-4o", cost_nanos=1_500_000,
    )  # fmt: skip
    await tables.batch(
        final("req_1", NOON, "default/alice", "gpt-4o", 100, 1_500_000),
        final("req_2", NOON + 1, "default/bob", "gpt-4o-mini", 20, 40_000),
        final("req_3", NOON + 86_400_000, "default/alice", "gpt-4o-mini", 30, 60_000),
        final("req_4", NOON + 86_400_001, "default/alice", "gpt-4o-mini", 30, 0, "hit"),
        decisions.row(decision, NOON, "default/alice"),
        (sql.COUNT_CACHE, ("2025-12-01", "chat", 1, 3)),
        (sql.COUNT_CACHE, ("2025-12-02", "chat", 2, 2)),
    )


SPAN = ("--from", "2025-12-01", "--to", "2025-12-03")


def test_keys_from_birth_to_death(home, capsys):
    key = said(capsys, "keys", "create", "--sub", "alice", "--name", "laptop").strip()
    assert keys.looks_like_key(key)
    [listed] = said_json(capsys, "keys", "list")
    assert (listed["sub"], listed["tenant"], listed["tier"]) == ("alice", "default", "free")
    assert (listed["scopes"], listed["name"]) == (["chat", "embed", "rag"], "laptop")
    assert (listed["expires_at"], listed["revoked_at"]) == (None, None)
    table = said(capsys, "keys", "list")
    assert key not in table
    assert table.splitlines()[0].split()[:3] == ["ID", "SUB", "TENANT"]
    assert table.splitlines()[1].startswith(listed["id"])
    assert said(capsys, "keys", "revoke", listed["id"]) == f"{listed['id']} is revoked\n"
    assert any((home / ".penstock" / EPOCH_FILE).read_bytes())  # a running server will look
    assert said_json(capsys, "keys", "list")[0]["revoked_at"]


def test_keys_carry_what_was_asked(home, capsys):
    words = "--sub bob --tenant acme --tier pro --scope chat --scope admin,embed --expires 30d"
    made = said_json(capsys, "keys", "create", *words.split())
    assert keys.looks_like_key(made["key"])
    assert (made["tenant"], made["tier"], made["scopes"]) == (
        "acme",
        "pro",
        ["admin", "chat", "embed"],
    )
    assert made["expires_at"] > made["created_at"]
    said(capsys, "keys", "create", "--sub", "eve")
    assert [key["sub"] for key in said_json(capsys, "keys", "list", "--tenant", "acme")] == ["bob"]
    assert [key["sub"] for key in said_json(capsys, "keys", "list", "--sub", "eve")] == ["eve"]


def test_a_key_nobody_could_have_is_misuse(home, capsys):
    assert main(["keys", "create", "--sub", "a\nb"]) == 2
    assert capsys.readouterr().err.startswith("penstock: misused: 'sub' must be 1 to 256 printable")


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (
            ["keys", "revoke", "key_nope"],
            "there is no such key; `penstock keys list` shows their ids",
        ),
        (["explain", "req_nope"], "there is no such request; x-request-id of its reply names it"),
    ],
)
def test_what_is_not_there_is_exit_code_1(argv, text, home, capsys):
    assert main(argv) == 1
    assert capsys.readouterr() == ("", f"penstock: not_found: {text}\n")


def test_usage_by_model(home, capsys):
    at_home(used)
    found = said_json(capsys, "usage", *SPAN)
    rows = {row["model"]: row for row in found["rows"]}
    assert (rows["gpt-4o"]["requests"], rows["gpt-4o"]["cost_usd"]) == (1, "0.0015")
    mini = rows["gpt-4o-mini"]
    assert (mini["requests"], mini["tokens"], mini["cost_nanos"], mini["cached"]) == (
        3,
        50,
        100_000,
        1,
    )
    assert found["totals"]["cost_usd"] == "0.0016"
    lines = said(capsys, "usage", *SPAN).splitlines()
    assert lines[0].split() == [
        "SERVICE",
        "PROVIDER",
        "MODEL",
        "REQUESTS",
        "TOKENS",
        "CACHED",
        "USD",
    ]
    assert lines[-1].split() == ["total", "-", "-", "4", "150", "1", "0.0016"]
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize(
    ("by", "key", "found"),
    [
        ("user", "user", {"alice": 3, "bob": 1}),
        ("day", "period", {"2025-12-01": 2, "2025-12-02": 2}),
        ("route", "route", {"auto": 4}),
    ],
)
def test_usage_by_others(by, key, found, home, capsys):
    at_home(used)
    sums: Counter[str] = Counter()
    for row in said_json(capsys, "usage", "--by", by, *SPAN)["rows"]:
        sums[row[key]] += row["requests"]
    assert sums == found


def test_usage_of_a_span(home, capsys):
    at_home(used)
    only = said_json(capsys, "usage", "--from", "2025-12-02", "--to", "2025-12-03")
    assert only["totals"]["requests"] == 2
    assert said(capsys, "usage", "--from", "2024-01-01", "--to", "2024-01-02") == (
        "nothing was used in that time\n"
    )


def test_explain(home, capsys):
    at_home(used)
    found = said_json(capsys, "explain", "req_1")
    assert found["decision"]["reason"] == "code"
    assert [step["stage"] for step in found["ledger"]] == ["final"]
    lines = said(capsys, "explain", "req_1").splitlines()
    told = {tuple(line.split(maxsplit=1)) for line in lines}
    assert {("request", "req_1"), ("policy", "heuristic"), ("features", "tokens 7")} <= told
    assert ("cost", "$0.0015") in told
    assert ("ranks", "openai/gpt-4o") in told
    assert lines[-1].split()[-1] == "0.0015"


def test_explain_where_only_the_ledger_knows(home, capsys):
    at_home(used)
    assert said_json(capsys, "explain", "req_2")["decision"] is None
    assert "req_2" in said(capsys, "explain", "req_2")


def test_cache_stats(home, capsys):
    at_home(used)
    assert said_json(capsys, "cache", "stats") == [{"kind": "chat", "hits": 3, "misses": 5}]
    assert said(capsys, "cache", "stats").splitlines()[1].split() == ["chat", "3", "5", "37.5"]


KEY = "chat:" + "0" * 64


@pytest.mark.parametrize(
    ("argv", "scopes"),
    [
        ([], ["kind:chat", "kind:embed", "kind:rag", "kind:http"]),
        (["--url", "/api/orders/7?x=1"], ["url:/api/orders/7?x=1"]),
        (["--url", "https://shop.example/api/a?b"], ["url:/api/a?b"]),
        (["--url", "https://shop.example/"], ["url:/"]),
        (["--tag", "shoes", "--kind", "http"], ["kind:http", "tag:shoes"]),
        (["--kind", "embed"], ["kind:embed"]),
        (["--owner", "alice"], ["owner:default/alice"]),
        (["--owner", "acme/alice"], ["owner:acme/alice"]),
        (["--model", "openai/gpt-4o", "--route", "auto"], ["model:openai/gpt-4o", "route:auto"]),
        (["--owner", "my team/al ice"], ["owner:my%20team/al ice"]),
        (["--key", KEY], [f"key:{KEY}"]),
        (["--key", f"{KEY}.12"], [f"key:{KEY}"]),
    ],
)
def test_cache_purge(argv, scopes, home, capsys):
    assert said_json(capsys, "cache", "purge", *argv) == {"purged": scopes}
    assert said(capsys, "cache", "purge", *argv) == (
        f"purged {', '.join(scopes)}; in force within 10 s\n"
    )

    async def numbers(tables):
        return dict(await tables.rows("select scope, number from generations"))

    assert at_home(numbers) == dict.fromkeys(scopes, 2)


def test_migrate(home, capsys):
    before = said_json(capsys, "migrate", "status")
    assert before["version"] == 0
    assert not any(step["applied"] for step in before["migrations"])
    assert list(home.iterdir()) == []
    newest = before["migrations"][-1]["version"]
    assert said(capsys, "migrate", "up") == f"migrated from 0 to {newest}\n"
    assert said_json(capsys, "migrate", "up") == {"before": newest, "version": newest}
    assert said(capsys, "migrate", "up") == f"already at {newest}\n"
    after = said_json(capsys, "migrate", "status")
    assert all(step["applied"] for step in after["migrations"])
    assert said(capsys, "migrate", "status").splitlines()[1].split()[::2] == ["1", "applied"]


def test_a_whole_table_is_exported(home, capsys):
    at_home(used)
    rows = said(capsys, "usage", "--export", "ledger").split("\r\n")
    assert rows[0].startswith("request_id,attempt,stage,ended,at")
    assert len(rows) == 6  # with the head, and an empty end
    told = said_json(capsys, "usage", "--export", "ledger")
    assert [row["request_id"] for row in told] == [f"req_{number}" for number in range(1, 5)]
    assert said_json(capsys, "usage", "--export", "ledger", "--to", "2000-01-01") == []
    assert len(said_json(capsys, "usage", "--export", "ledger", "--from", "2000-01-01")) == len(
        told
    )
    backwards = ["--from", "2025-12-01", "--to", "2025-11-01"]
    for wrong in (["--budgets"], backwards, ["--month"], ["--export-log"]):
        assert main(["usage", "--export", "ledger", *wrong]) == 2
    assert main(["usage", "--format", "json"]) == 2
    assert main(["usage", "--export", "blobs"]) == 2
