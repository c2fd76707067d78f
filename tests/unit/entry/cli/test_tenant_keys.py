"""`penstock tenant-keys`: what goes in is never shown, and master keys rotate."""

from __future__ import annotations

import io
import json

import pytest

from penstock.config import Config
from penstock.entry.cli import main
from penstock.gateway.tenant_keys import masters as master_keys

KEY = "sk-of-acme-and-nobody-else"
CONFIG = """
[providers.openai]
kind = "openai"
api_key = "sk-ours"
"""
NEW, OLD = "n" * 32, "o" * 32


@pytest.fixture(autouse=True)
def configured(home):
    (home / "penstock.toml").write_text(CONFIG)


def said(capsys, *argv, code=0):
    assert main(("tenant-keys", *argv)) == code
    out, err = capsys.readouterr()
    return out + err


def put(capsys, monkeypatch, *, tenant="acme", provider="openai", key=KEY, code=0):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{key}\n"))
    return said(capsys, "put", "--tenant", tenant, "--provider", provider, "--json", code=code)


def listed(capsys):
    return json.loads(said(capsys, "list", "--json"))


def test_put_list_and_delete(capsys, monkeypatch):
    shown = put(capsys, monkeypatch)
    assert json.loads(shown)["last4"] == KEY[-4:]
    put(capsys, monkeypatch, tenant="globex")
    assert [one["tenant"] for one in listed(capsys)] == ["acme", "globex"]
    text = said(capsys, "list", "--tenant", "acme")
    assert KEY[-4:] in text
    assert KEY not in text + shown
    gone = ("delete", "--tenant", "acme", "--provider", "openai")
    assert "within 10 s" in said(capsys, *gone)
    assert "no such key" in said(capsys, *gone, code=1)
    assert [one["tenant"] for one in listed(capsys)] == ["globex"]


@pytest.mark.parametrize("given", [{"key": "short"}, {"provider": "nobody"}, {"tenant": ""}])
def test_what_cannot_be_one_is_misuse(capsys, monkeypatch, given):
    assert "short" not in put(capsys, monkeypatch, **given, code=2)
    assert listed(capsys) == []


def test_master_keys_rotate(capsys, monkeypatch, home):
    put(capsys, monkeypatch)
    first = listed(capsys)[0]["master"]

    def masters(*given):
        (home / "penstock.toml").write_text(
            f"{CONFIG}[tenant_keys]\nmaster = {json.dumps(list(given))}\n"
        )

    masters(OLD)
    assert "sealed anew: 1" in said(capsys, "reseal")
    second = listed(capsys)[0]["master"]
    masters(NEW, OLD)
    put(capsys, monkeypatch, tenant="globex")
    assert "sealed anew: 1" in said(capsys, "reseal")
    assert "sealed anew: 0" in said(capsys, "reseal")
    masters(NEW)
    found = {one["master"] for one in listed(capsys)}
    assert len({first, second, *found}) == 3
    masters(OLD)
    lost = said(capsys, "reseal", code=1)
    assert "acme at openai, globex at openai" in lost
    assert KEY not in lost


def test_the_server_home_needs_a_master_key_of_yours():
    assert master_keys(Config(platform="server"), b"beside the tables") == ()
    assert len(master_keys(Config(), b"in a file of its own")) == 1
