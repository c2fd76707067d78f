"""`penstock router labels` and `forget`: the lines a router is fitted from, and what is deleted of whom."""

from __future__ import annotations

import asyncio
import json

import pytest

from penstock.entry.cli import main
from penstock.ledger import feedback, labels, logs
from penstock.ledger.feedback import Feedback
from penstock.ledger.labels import PAGE_ROWS, Label
from penstock.platforms.embedded import open_tables

AT = 1_793_534_400_000
SEEN = '{"version":1,"slots":[3,5],"length":5,"complexity":"simple"}'


def label(number, tenant="acme", sub="ann", **more):
    told = {"prompt": "", "weak_answer": "", "strong_answer": ""} | more
    return Label(
        f"req_{number}", f"shd_{number}", AT + number, f"{tenant}/{sub}", tenant, "auto", "exact", "a/small", "b/large",
        0.25, 1.0, 1_500, 2_500_000_000, SEEN, **told,
    )  # fmt: skip


@pytest.fixture
def kept(home):
    async def do():
        async with open_tables(".penstock") as tables:
            text = label(2, "globex", prompt='[{"role":"user","content":"hi"}]', weak_answer="no")
            rows = [label(1), text, label(3, sub="bob")]
            rows += [label(number, "many") for number in range(10, 10 + PAGE_ROWS)]
            for start in range(0, len(rows), 100):
                await tables.batch(*map(labels.put, rows[start : start + 100]))
            said = Feedback("req_1", "score", "acme/ann", "acme", -0.5, AT)
            await tables.batch(
                feedback.put(said), logs.prompt("req_1", AT, "acme/ann", "acme", b"[]")
            )

    asyncio.run(do())
    (home / "penstock.toml").write_text('[tenants.globex]\ntexts = "labels"\n')
    return home


def said(capsys, *argv, code=0):
    assert main(["router", *argv]) == code
    out, err = capsys.readouterr()
    assert bool(err) == bool(code)
    return err if code else out


def test_a_label_is_a_line_with_text_only_where_it_is_kept(kept, capsys):
    lines = [json.loads(line) for line in said(capsys, "labels").splitlines()]
    assert len(lines) == 3 + PAGE_ROWS
    first, second, third = lines[:3]
    assert first == {
        "weak": 0.25, "strong": 1.0, "weak_cost": 0.0000015, "strong_cost": 2.5, "group": first["group"],
        "features": json.loads(SEEN), "route": "auto", "judge": "exact", "weak_target": "a/small",
        "strong_target": "b/large", "feedback": -0.5,
    }  # fmt: skip
    assert second["messages"] == [{"role": "user", "content": "hi"}]
    assert "features" not in second
    assert len({first["group"], second["group"], third["group"]}) == 3
    assert "ann" not in json.dumps(first)


def test_consent_that_is_withdrawn_holds_for_what_was_kept_before(kept, capsys):
    (kept / "penstock.toml").write_text("[tenants.acme]\nshadow = false\n")
    lines = [json.loads(line) for line in said(capsys, "labels").splitlines()]
    assert len(lines) == 1 + PAGE_ROWS
    assert [line for line in lines if "messages" in line] == []
    assert json.loads(said(capsys, "labels", "--out", "l.jsonl", "--json"))["labels"] == len(lines)


def test_the_span_the_route_and_the_file_are_chosen(kept, capsys):
    assert said(capsys, "labels", "--to", "2026-11-01") == ""
    assert said(capsys, "labels", "--route", "other") == ""
    told = json.loads(said(capsys, "labels", "--out", "l.jsonl", "--json"))
    assert told == {"labels": 3 + PAGE_ROWS, "file": "l.jsonl"}
    assert len((kept / "l.jsonl").read_text().splitlines()) == 3 + PAGE_ROWS
    assert "nowhere" in said(capsys, "labels", "--out", "nowhere/l.jsonl", code=1)


def test_a_tenant_or_a_user_is_forgotten_and_nobody_else(kept, capsys):
    assert said(capsys, "forget", "--tenant", "acme", "--sub", "bob") == (
        "deleted: 1 labels, 0 prompts, 0 feedback\n"
    )
    told = json.loads(said(capsys, "forget", "--tenant", "acme", "--json"))
    assert told == {"deleted": {"labels": 1, "prompts": 1, "feedback": 1}}
    assert (
        json.loads(said(capsys, "forget", "--tenant", "many", "--json"))["deleted"]["labels"]
        == PAGE_ROWS
    )
    [left] = said(capsys, "labels").splitlines()
    assert json.loads(left)["messages"]
    assert "required" in said(capsys, "forget", code=2)
