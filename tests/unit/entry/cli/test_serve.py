"""`penstock serve`, as far as the server it starts."""

from __future__ import annotations

import pytest

from penstock.entry import server
from penstock.entry.cli import main


@pytest.fixture
def started(monkeypatch):
    """What the server was started with."""
    calls = []

    def run(start):
        calls.append((start.config, start.notes, start.as_json))
        return 0

    monkeypatch.setattr(server, "run", run)
    return calls


def test_defaults(home, started):
    assert main(["serve"]) == 0
    [(config, notes, as_json)] = started
    assert (config.server.host, config.server.port) == ("127.0.0.1", 8787)
    assert notes[0] == "configuration: environment"
    assert any(note.startswith("auto: simple sandbox/") for note in notes)
    assert as_json is False
    [issuer] = config.auth.issuers
    assert issuer.secret == (home / ".penstock" / "secret.jwt").read_text().strip()
    assert issuer.secret not in "".join(notes)


def test_the_command_line_wins_over_the_file(home, started):
    (home / "penstock.toml").write_text("[server]\nhost = '::1'\nport = 1\n")
    assert main(["serve"]) == 0
    assert main(["serve", "--host", "0.0.0.0", "--port", "0", "--json"]) == 0
    hosts = [(config.server.host, config.server.port) for config, _, _ in started]
    assert hosts == [("::1", 1), ("0.0.0.0", 0)]
    assert started[1][2] is True


def test_what_the_server_returns_is_the_exit_code(home, monkeypatch):
    monkeypatch.setattr(server, "run", lambda start: 1)
    assert main(["serve"]) == 1
