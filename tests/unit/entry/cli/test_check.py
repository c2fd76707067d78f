"""`penstock check`."""

from __future__ import annotations

import json

import pytest

from penstock.config.schema import schema
from penstock.entry.cli import main
from tests.path.test_monthly_mailed import MAILED

KEY = "sk-canary-canary-canary"


def test_without_a_file(home, capsys):
    assert main(["check"]) == 0
    said = capsys.readouterr().out
    assert "configuration  environment" in said
    assert "data           ./.penstock" in said
    assert "auto: simple sandbox/granite-4.0-h-micro" in said
    assert "warning: no provider is configured" in said
    assert said.endswith("The configuration is good.\n")
    assert list(home.iterdir()) == []


def test_prices_stand_beside_the_targets(home, capsys, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OLLAMA_HOST", "box")
    assert main(["check", "--json"]) == 0
    out = capsys.readouterr().out
    assert KEY not in out
    found = json.loads(out)
    targets = {target["name"]: target for target in found["targets"]}
    assert targets["openai/gpt-4o-mini"]["usd_input"] == "0.15"
    assert targets["openai/gpt-4o-mini"]["usd_output"] == "0.6"
    assert targets["ollama/llama3.2"]["usd_input"] is None
    assert found["routes"]["auto"] == ["ollama/llama3.2", "ollama/llama3.2", "openai/gpt-4o"]
    assert found["limits"]["login"] == [10, 900]
    assert found["listen"] == "127.0.0.1:8787"


def test_the_sandbox_has_the_prices_it_stands_for(home, capsys):
    assert main(["check", "--json"]) == 0
    targets = {t["name"]: t for t in json.loads(capsys.readouterr().out)["targets"]}
    assert targets["sandbox/gpt-4o-mini"]["usd_input"] == "0.15"
    assert targets["hashed/hashed-lexical-384"]["usd_input"] == "0"


def test_schema(home, capsys):
    assert main(["check", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(schema()))


def write(file, port):
    file.write_text(f"[server]\nport = {port}\n")
    return str(file)


def test_which_file_is_read(home, capsys, monkeypatch):
    def listen(*argv):
        assert main(["check", "--json", *argv]) == 0
        return json.loads(capsys.readouterr().out)["listen"].rpartition(":")[2]

    named, by_env = write(home / "named.toml", 1), write(home / "env.toml", 2)
    assert listen() == "8787"
    write(home / "penstock.toml", 3)
    assert listen() == "3"
    monkeypatch.setenv("PENSTOCK_CONFIG", by_env)
    assert listen() == "2"
    assert listen("--config", named) == "1"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "f.toml cannot be read: no such file or directory; name another by --config"),
        (b"\xff", "f.toml is not UTF-8 text; save it as UTF-8"),
        (b"a", "f.toml: the file is not TOML: "),
        (b"[cors]\norigins=['*']", "f.toml: cors.origins[0] has a `*`"),
        (
            b"[providers.a]\nkind='openai'\napi_key='${NOPE}'",
            "f.toml: providers.a.api_key: the envi",
        ),
    ],
)
def test_a_file_that_cannot_be_used(home, capsys, content, said):
    if content is not None:
        (home / "f.toml").write_bytes(content)
    assert main(["check", "--config", "f.toml"]) == 1
    assert capsys.readouterr().err.startswith(f"penstock: misconfigured: {said}")


def test_what_serve_would_refuse_for_a_report_is_refused(home, capsys, monkeypatch):
    (home / "f.toml").write_text(MAILED)
    assert main(["check", "--config", "f.toml"]) == 0
    (home / "g.toml").write_text(MAILED + 'font = "/nowhere.ttf"\n')
    capsys.readouterr()
    assert main(["check", "--config", "g.toml"]) == 1
    assert "monthly_report.font is no TrueType file" in capsys.readouterr().err
    monkeypatch.setattr("penstock.platforms.pdf.INSTALLED", ("no_such_library",))
    assert main(["check", "--config", "f.toml"]) == 1
    assert "pip install 'penstock[reports]'" in capsys.readouterr().err


def test_a_byte_order_mark_is_no_error(home, capsys):
    (home / "penstock.toml").write_bytes(b"\xef\xbb\xbf[server]\nport = 5\n")
    assert main(["check"]) == 0
    assert "127.0.0.1:5" in capsys.readouterr().out


def test_a_table_of_checked_prices_that_is_old_is_a_warning(home, capsys, monkeypatch):
    monkeypatch.setattr("penstock.entry.settings.stale", lambda on: True)
    assert main(["check"]) == 0
    assert "warning: prices were last compared with the providers' on" in capsys.readouterr().out
