"""`penstock usage --reconcile` on files as people have them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from penstock.entry.cli import main
from tests.unit.entry.cli.test_stored import at_home, used

GOOD = """day,model,input_tokens,output_tokens,cost
2025-12-02,gpt-4o-mini,30,0,0.00006
2025-12-01,gpt-4o-2024-08-06,100,0,0.0015
2025-12-01,gpt-4o-mini,20,0,0.00004
"""


@pytest.fixture
def ledger(home) -> None:
    at_home(used)


def run(capsys, *argv: str) -> tuple[int, str, str]:
    code = main(["usage", *argv])
    out, err = capsys.readouterr()
    return code, out, err


def file(text: str | bytes, name: str = "bill.csv") -> str:
    Path(name).write_bytes(text.encode() if isinstance(text, str) else text)
    return name


def test_a_bill_that_agrees(ledger, capsys) -> None:
    code, out, err = run(capsys, "--reconcile", file(GOOD))
    assert (code, err) == (0, "")
    heads, *rows = [line.split() for line in out.splitlines()]
    assert heads[:3] == ["DAY", "MODEL", "TOKENS"]
    assert rows[0] == ["2025-12-01", "gpt-4o", "100", "100", "0", "0.0015", "0.0015", "0", "-"]
    assert rows[3][:1] == ["total"]
    assert rows[3][2:8] == ["150", "150", "0", "0.0016", "0.0016", "0"]
    assert "openai" in out


def test_a_bill_that_drifts(ledger, capsys) -> None:
    more = GOOD.replace("30,0,0.00006", "33,1,0.00007")
    code, out, _ = run(capsys, "--reconcile", file(more))
    assert code == 1
    (row,) = [line for line in out.splitlines() if line.startswith("2025-12-02")]
    assert row.split()[2:8] == ["30", "34", "-4", "0.00006", "0.00007", "-0.00001"]
    assert row.endswith("input, output, cost")
    assert run(capsys, "--reconcile", "bill.csv", "--tolerance", "100%")[0] == 0


def test_as_json(ledger, capsys) -> None:
    rows = [{"day": "2025-12-01", "model": "gpt-4o", "output_tokens": 0, "cost": 0.0014}]
    code, out, _ = run(capsys, "--reconcile", file(json.dumps(rows), "bill.json"), "--json")
    assert code == 1
    found = json.loads(out)
    assert (found["providers"], found["compared"]) == (["openai"], ["output", "cost"])
    dear, cheap = found["rows"]
    assert (dear["ours"]["cost_nanos"], dear["theirs"]["cost_nanos"]) == (1_500_000, 1_400_000)
    assert dear["difference"] == {"output": 0, "cost_nanos": 100_000, "cost_usd": "0.0001"}
    assert dear["drifts"] == ["cost"]
    assert (cheap["model"], cheap["theirs"]["cost_nanos"]) == ("gpt-4o-mini", 0)
    assert found["totals"]["difference"]["cost_nanos"] == 140_000
    assert found["drifts"] is True


def test_a_span_and_a_provider(ledger, capsys) -> None:
    code, out, _ = run(capsys, "--reconcile", file(GOOD), "--to", "2025-12-02", "--json")
    assert (code, len(json.loads(out)["rows"])) == (0, 2)
    code, out, _ = run(capsys, "--reconcile", file(GOOD), "--provider", "nobody", "--json")
    assert code == 1
    assert json.loads(out)["providers"] == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD + "2025-12-03,m,x,0,0\n", "bill.csv: line 5, column 'input_tokens': 'x' is no whole number"),
        (b"day,model\n\xff\xfe", "bill.csv: line 2, column 1: this is not UTF-8"),
        ("", "bill.csv: line 1: no column 'day'"),
        ("{", "bill.csv: line 1, column 2: this is no JSON"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read(ledger, capsys, text, says) -> None:
    code, out, err = run(capsys, "--reconcile", file(text))
    assert (code, out) == (1, "")
    assert err.startswith(f"penstock: invalid_file: {says}")


def test_a_file_that_is_not_there(ledger, capsys) -> None:
    code, _, err = run(capsys, "--reconcile", "nowhere.csv")
    assert (code, err.split(":")[1:3]) == (1, [" io_error", " nowhere.csv"])


@pytest.mark.parametrize(
    "argv",
    [
        ("--tolerance", "1"),
        ("--provider", "openai"),
        ("--reconcile", "bill.csv", "--tolerance", "x"),
        ("--reconcile", "bill.csv", "--tolerance", "101"),
        ("--reconcile", "bill.csv", "--tolerance", "-1"),
        ("--reconcile", "bill.csv", "--from", "2025-12-05"),
    ],
)
def test_misuse(ledger, capsys, argv) -> None:
    file(GOOD)
    assert run(capsys, *argv)[0] == 2
