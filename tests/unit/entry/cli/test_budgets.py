"""`penstock usage --budgets`, and what `check` and the start say of budgets and prices."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from penstock.entry import settings
from penstock.entry.cli import main
from penstock.ledger import budgets
from penstock.ledger.budgets import Held
from penstock.platforms.embedded import open_tables

CONFIG = """
[providers.own]
kind = "openai"
base_url = "http://own.test/v1"
[[targets]]
provider = "own"
model = "house-model"
[[budgets]]
per = "user"
period = "day"
money = "5.00"
"""
PRICE = """
[[prices]]
provider = "own"
model = "house-model"
input = "0.25"
output = "1.5"
"""


def said(capsys, *argv, code=0):
    assert main(argv) == code
    out, err = capsys.readouterr()
    assert err == "" or code
    return out


def reserve(*held):
    async def do():
        async with open_tables(".penstock") as tables:
            await tables.batch(*budgets.reserve("req_1", held))

    asyncio.run(do())


@pytest.mark.usefixtures("home")
def test_budgets_that_run_are_shown(capsys):
    assert said(capsys, "usage", "--budgets") == "no budget is in use\n"
    assert json.loads(said(capsys, "usage", "--budgets", "--json")) == {"budgets": []}
    now = round(time.time() * 1000)
    ends = now + 3_600_000
    reserve(
        Held("user:day:nanos:acme/a:b", now, ends, "nanos", 5 * 10**9, 10**9),
        Held("route:hour:tokens:auto", now, ends, "tokens", 900, 70),
        Held("key:hour:tokens:key_1", now - 7_200_000, now - 1, "tokens", 900, 70),
    )
    found = json.loads(said(capsys, "usage", "--budgets", "--json"))["budgets"]
    assert [(one["per"], one["name"], one["period"], one["unit"]) for one in found] == [
        ("route", "auto", "hour", "tokens"),
        ("user", "acme/a:b", "day", "nanos"),
    ]
    names = ("cap", "reserved", "spent", "left")
    assert [one[name] for one in found[:1] for name in names] == [900, 70, 0, 830]
    heads, _, line = said(capsys, "usage", "--budgets").splitlines()
    assert heads.split()[:8] == [
        "PER",
        "NAME",
        "PERIOD",
        "UNIT",
        "CAP",
        "RESERVED",
        "SPENT",
        "LEFT",
    ]
    assert line.split()[:8] == ["user", "acme/a:b", "day", "usd", "5", "1", "0", "4"]
    assert main(["usage", "--budgets", "--from", "2026-01-01"]) == 2


def test_check_shows_budgets_and_own_prices(capsys, home):
    (home / "penstock.toml").write_text(CONFIG + PRICE)
    found = json.loads(said(capsys, "check", "--json"))
    assert found["budgets"] == [{"per": "user", "period": "day", "money": "5.00"}]
    [house] = [target for target in found["targets"] if target["name"] == "own/house-model"]
    assert (house["usd_input"], house["usd_output"]) == ("0.25", "1.5")
    assert not [note for note in found["notes"] if "no price" in note]
    shown = said(capsys, "check")
    assert "BUDGET PER  PERIOD  NAME  TIER  MONEY  TOKENS" in shown
    assert "5.00" in shown


@pytest.mark.parametrize(
    ("policy", "fate"),
    [
        ("", "counted as free, and refused where a money budget holds"),
        ('unpriced = "refuse"', "refused"),
        ('unpriced = "allow"', "counted as free"),
    ],
)
def test_a_model_without_a_price_is_warned_of(capsys, home, policy, fate):
    (home / "penstock.toml").write_text(f"{CONFIG}[server]\n{policy}\n")
    notes = json.loads(said(capsys, "check", "--json"))["notes"]
    assert (
        f"warning: no price is known for own/house-model; {fate}: give it under [[prices]]" in notes
    )


def test_an_old_price_table_is_warned_of(capsys, home, monkeypatch):
    (home / "penstock.toml").write_text(CONFIG + PRICE)
    monkeypatch.setattr(settings, "today", lambda: "2027-02-04")
    notes = json.loads(said(capsys, "check", "--json"))["notes"]
    assert any("prices were last compared" in note for note in notes)
