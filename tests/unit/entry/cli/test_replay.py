"""`penstock usage --export-log` and `penstock replay`: what they print, and what they refuse."""

from __future__ import annotations

import asyncio
import json

import pytest

from penstock.entry.cli import main
from penstock.ledger import book
from penstock.ledger.book import Account, Charged
from penstock.platforms.embedded import open_tables
from penstock.wire.chat import Usage

DAY = "2026-11-01T12:00:00Z"
AT = 1_793_534_400_000
CLOUD = {"CLOUDFLARE_ACCOUNT_ID": "a", "CLOUDFLARE_API_TOKEN": "b", "OPENAI_API_KEY": "sk-x"}


@pytest.fixture
def cloud(home, monkeypatch):
    """Workers AI with its free neurons for what is simple, gpt-4o for the rest."""
    for name, value in CLOUD.items():
        monkeypatch.setenv(name, value)
    return home


def said(capsys, *argv, code=0):
    assert main(argv) == code
    out, err = capsys.readouterr()
    assert bool(err) == bool(code)
    return err if code else out


def told(capsys, *argv):
    return json.loads(said(capsys, "replay", *argv, "--json"))


def write(home, *lines):
    path = home / "log.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return str(path)


def test_the_cost_under_each_policy_with_the_cache_and_without(cloud, capsys):
    hello = {"time": DAY, "prompt": "hello there", "input_tokens": 1_000, "output_tokens": 100}
    path = write(cloud, hello, hello, hello | {"prompt": "explain it"}, hello | {"caller": "b"})
    found = told(capsys, path)
    assert (found["lines"], found["hits"], found["hit_share"]) == (4, 1, 0.25)
    assert list(found["policies"]) == ["strong", "weak", "heuristic", "learned", "route:auto"]
    each = 1_000 * 2_500 + 100 * 10_000  # gpt-4o, in nano-dollars
    strong, heuristic = found["policies"]["strong"], found["policies"]["heuristic"]
    assert strong["cache_off"]["cost_nanos"] == 4 * each
    assert strong["cache_on"]["cost_nanos"] == 3 * each
    assert strong["cache_on"]["models"]["openai/gpt-4o"]["requests"] == 3
    assert heuristic["cache_off"]["cost_nanos"] == each
    assert heuristic["cache_off"]["free_requests"] == 3
    assert heuristic["cache_on"]["free_share"] == 0.5
    assert found["policies"]["route:auto"] == heuristic
    assert not any("time" in text and "before" in text for text in found["assumptions"])


def test_what_a_log_leaves_out_is_assumed_and_said(cloud, capsys):
    path = write(cloud, {"prompt": "abcd" * 100}, {"input_tokens": 5, "output_tokens": 7})
    found = told(capsys, path, "--policy", "heuristic")
    text = "\n".join(found["assumptions"])
    for part in (
        "1 lines do not say how long their answer is: 7 tokens each",
        "2 lines have no time",
        "1 lines have no text",
        "1 lines do not say how long they are",
        "heuristic: 1 requests could not be placed",
    ):
        assert part in text
    older = write(cloud, {"time": "2019-01-01", "prompt": "x", "output_tokens": 1})
    assert "openai/gpt-4o had no price on days of the log" in "".join(
        told(capsys, older)["assumptions"]
    )
    bare = write(cloud, {"input_tokens": 5, "route": "auto"})
    assert "lines have no text" in said(capsys, "replay", bare, "--output-tokens", "9")


def test_a_log_with_the_newest_first_has_the_hits_of_its_reverse(cloud, capsys):
    hello = {"prompt": "hello there", "input_tokens": 1_000, "output_tokens": 100}
    at = ("2026-11-01T00:00:00Z", "2026-11-01T00:30:00Z", "2026-11-02T00:00:00Z", "2026-11-03")
    lines = [hello | {"time": one} for one in at]
    rising = told(capsys, write(cloud, *lines))
    falling = told(capsys, write(cloud, *lines[::-1]))
    assert rising["hits"] == falling["hits"] == 1
    assert rising["policies"] == falling["policies"]
    assert not any("sort the log" in text for text in rising["assumptions"])
    assert any("3 lines are older than the line before" in text for text in falling["assumptions"])


def test_a_learned_router_stands_beside_at_a_quality_or_a_share(cloud, capsys):
    prompts = ["what is 2+2", "prove that there are infinitely many primes", "translate hello"]
    path = write(cloud, *({"prompt": text, "output_tokens": 9} for text in prompts))
    routers = ("--policy", "learned", "--policy", "learned=default")

    def strong(*more):
        found = told(capsys, path, *routers, *more)["policies"]
        assert found["learned"] == found["learned=default"]
        return found["learned"]["cache_off"]["models"].get("openai/gpt-4o", {"requests": 0})[
            "requests"
        ]

    assert strong("--strong-share", "0") == 0
    assert strong("--strong-share", "1") == 3
    assert strong("--quality", "1") == 3
    assert "nowhere.router" in said(
        capsys, "replay", path, "--policy", "learned=nowhere.router", code=1
    )
    bare = write(cloud, {"input_tokens": 5, "output_tokens": 1, "complexity": "simple"})
    assert told(capsys, bare, *routers)["policies"]["learned"]["cache_off"]["guessed"] == 1


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "Line 2 is not what is read here"),
        ("[]", "Line 2 is not what is read here"),
        ('{"prompt": 1}', "Line 2 is not what is read here"),
        ('{"prompt": "\\ud800"}', "Line 2"),
        ('{"prompt": "x", "input_tokens": -1}', "Line 2 is not what is read here"),
        ('{"prompt": "x", "input_tokens": NaN}', "Line 2 is not what is read here"),
        ('{"prompt": "x", "time": "yesterday"}', "Line 2: `time` is no instant"),
        ('{"prompt": "x", "time": 1e300}', "Line 2 is not what is read here"),
        ('{"prompt": "x", "messages": []}', "Line 2 has both"),
        ('{"messages": []}', "Line 2 is no chat"),
        ('{"messages": [{"role": "user"}]}', "Line 2 is no chat"),
        ('{"messages": ' + "[" * 5_000 + "]" * 5_000 + "}", "Line 2 is not what is read here"),
        ("{}", "Line 2 has neither text nor"),
        ('{"prompt": "x", "time": "9999-12-31T23:59:59-23:59"}', "Line 2: `time` is no instant"),
        ('{"input_tokens": 1, "cached_input_tokens": 2}', "Line 2 has more cached"),
        ('{"prompt": "x", "more": "' + "y" * 10_000_000 + '"}', "Line 2 is longer"),
    ],
)
def test_a_bad_line_is_named_by_its_number(cloud, capsys, line, why):
    (cloud / "log.jsonl").write_text('{"prompt": "x", "output_tokens": 1}\n' + line + "\n")
    assert why in said(capsys, "replay", "log.jsonl", code=2)


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["--policy", "random"], "No policy is called 'random'"),
        (["--strong", "nobody/x"], "--strong must name a configured chat target"),
        (["--quality", "2"], "is no part from 0 to 1"),
        (["--route", "other"], "--strong must name a configured chat target"),
        (["--output-tokens", "many"], "is no number of tokens"),
    ],
)
def test_what_it_does_not_take(cloud, capsys, argv, why):
    assert why in said(capsys, "replay", write(cloud, {"prompt": "x"}), *argv, code=2)


def test_a_log_without_lines_or_lengths_is_refused(cloud, capsys):
    assert "has no line" in said(capsys, "replay", write(cloud), code=2)
    assert "--output-tokens" in said(capsys, "replay", write(cloud, {"prompt": "x"}), code=2)
    assert "not a pipe" in said(capsys, "replay", "/dev/null", code=2)
    assert "nowhere.jsonl" in said(capsys, "replay", "nowhere.jsonl", code=1)


def test_what_the_ledger_has_is_a_log(home, capsys):
    chat = Account("req_1", "default/ann", "default", "ann", "", "auto", "chat")
    what = Charged("sandbox", "gpt-4o", "sandbox/gpt-4o")

    async def do():
        async with open_tables(".penstock") as tables:
            rows = [book.final(chat, 1, "settled", AT, what, Usage(10, 5, 0, 7), 99)]
            rows.append(
                book.final(
                    Account("req_2", "", "", "", "", "auto", "embeddings"),
                    1,
                    "settled",
                    AT,
                    what,
                    Usage(1),
                    1,
                )
            )
            await tables.batch(*rows)

    asyncio.run(do())
    span = ("usage", "--export-log", "--from", "2026-11-01", "--to", "2026-11-02")
    out = said(capsys, *span)
    assert json.loads(out) == {
        "time": "2026-11-01T12:00:00.000Z",
        "id": "req_1",
        "caller": "4b3f3ba5f6fa",
        "route": "auto",
        "target": "sandbox/gpt-4o",
        "input_tokens": 15,
        "cached_input_tokens": 5,
        "output_tokens": 7,
        "cost_nanos": 99,
    } | {"caller": json.loads(out)["caller"]}
    (home / "log.jsonl").write_text(out)
    found = told(capsys, "log.jsonl", "--policy", "logged")
    assert found["policies"]["logged"]["cache_off"]["models"]["sandbox/gpt-4o"]["requests"] == 1
    assert said(capsys, "usage", "--export-log", "--from", "2026-11-02") == ""
