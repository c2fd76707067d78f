"""`penstock doctor` and the single questions it asks."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from penstock.config import Provider
from penstock.entry.cli import main, probes


@contextmanager
def server(status=200, body=b"{}"):
    """A provider on a port of its own; `seen` has what it was asked."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, dict(self.headers.items())))
            self.send_response(status)
            self.send_header("location", "http://127.0.0.1:1/elsewhere")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}", seen
        finally:
            running.shutdown()
            thread.join()


@contextmanager
def listener():
    """A port that is taken and never answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def closed_port():
    with socket.socket() as once:
        once.bind(("127.0.0.1", 0))
        return once.getsockname()[1]


def test_all_is_well(home, capsys):
    (home / "penstock.toml").write_text("[server]\nport = 0\n")
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "✓ python", "✓ sqlite", "✓ configuration", "✓ data directory", "✓ development secret", "✓ port",
        "✓ documents are found", "✓ documents are read",
    ]  # fmt: skip
    assert "✓ data directory: .penstock will be made on first run" in lines


def test_json_and_the_exit_code_say_what_is_wrong(home, capsys):
    with listener() as port:
        (home / "penstock.toml").write_text(f"[server]\nport = {port}\n")
        assert main(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["good"] is False
    assert [check["check"] for check in found["checks"] if not check["good"]] == ["port"]
    assert {"check", "good", "found", "mend"} == set(found["checks"][0])


def test_a_bad_configuration_is_a_finding(home, capsys):
    (home / "penstock.toml").write_text("prot = 1\n")
    assert main(["doctor"]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("✗ configuration: penstock.toml: prot is no setting; the nearest is")


def test_providers_are_asked_unless_offline(home, capsys, monkeypatch):
    with server() as (url, seen):
        monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
        monkeypatch.setenv("OPENAI_BASE_URL", f"{url}/v1")
        (home / "penstock.toml").write_text("[server]\nport = 0\n")
        assert main(["doctor", "--offline"]) == 0
        assert seen == []
        assert main(["doctor"]) == 0
    [(path, headers)] = seen
    assert path == "/v1/models"
    assert headers["authorization"] == "Bearer sk-canary"
    out = capsys.readouterr().out
    assert "✓ provider openai: 127.0.0.1:" in out
    assert "canary" not in out


@pytest.mark.parametrize(
    ("kind", "path", "header"),
    [
        ("openai", "/models", "authorization"),
        ("anthropic", "/v1/models", "x-api-key"),
        ("workers_ai", "/accounts/acc/ai/models/search?per_page=1", "authorization"),
    ],
)
def test_each_kind_is_asked_for_what_needs_its_key(kind, path, header):
    with server() as (url, seen):
        provider = Provider(kind=kind, base_url=url, api_key="sk-canary", account="acc")
        assert probes.reachable("p", provider).good
    assert seen[0][0] == path
    assert "sk-canary" in seen[0][1][header]


@pytest.mark.parametrize(
    ("status", "good", "said"),
    [
        (200, True, "answers (200)"),
        (404, True, "answers (404)"),
        (302, True, "answers (302)"),
        (401, False, "refuses the key (401)"),
        (403, False, "refuses the key (403)"),
        (500, False, "is failing (500)"),
    ],
)
def test_what_a_providers_status_means(status, good, said):
    with server(status) as (url, seen):
        found = probes.reachable("p", Provider(kind="openai", base_url=url, api_key="k"))
    assert (found.good, found.found.partition(" ")[2]) == (good, said)
    assert len(seen) == 1
    assert found.mend


def test_a_provider_out_of_reach():
    url = f"http://user:canary@127.0.0.1:{closed_port()}/v1"
    found = probes.reachable("p", Provider(kind="openai", base_url=url))
    assert not found.good
    assert found.found.endswith("is out of reach")
    assert "canary" not in "".join(map(str, found))


def test_a_provider_that_does_not_answer_is_left(monkeypatch):
    monkeypatch.setattr(probes, "PATIENCE", 0.05)
    with listener() as port:
        found = probes.reachable("p", Provider(kind="openai", base_url=f"http://127.0.0.1:{port}"))
    assert not found.good
    assert found.found.endswith("is out of reach")


def test_versions():
    assert probes.python((3, 11, 0)).good
    assert not probes.python((3, 10, 9)).good
    assert probes.sqlite().good
    assert probes.sqlite("3.51.3").good
    assert not probes.sqlite("3.51.2").good
    assert probes.sqlite("3.100.0").good


def test_data_directory(tmp_path):
    assert probes.data_directory(tmp_path).good
    assert list(tmp_path.iterdir()) == []
    assert probes.data_directory(tmp_path / "a" / "b").good
    file = tmp_path / "file"
    file.write_text("")
    assert not probes.data_directory(file).good
    assert not probes.data_directory(file / "x").good


def test_development_secret(tmp_path):
    file = tmp_path / "secret.jwt"
    assert probes.dev_secret(file).good
    file.write_text("x")
    file.chmod(0o600)
    assert probes.dev_secret(file).good
    file.chmod(0o640)
    found = probes.dev_secret(file)
    assert not found.good
    assert found.mend == f"chmod 600 {file}"


def test_ports():
    port = closed_port()
    assert probes.listening("127.0.0.1", port) == ("port", True, f"127.0.0.1:{port} is free", "")
    assert not probes.listening("192.0.2.1", port).good
    assert not probes.listening("no.such.host.invalid", port).good
    with server(200, b"not ours") as (url, _):
        assert not probes.listening("127.0.0.1", int(url.rpartition(":")[2])).good


def test_a_port_held_by_a_gateway_is_well():
    health = json.dumps({"status": "healthy", "timestamp": "", "edge": "unknown", "version": "1"})
    with server(200, health.encode()) as (url, seen):
        found = probes.listening("127.0.0.1", int(url.rpartition(":")[2]))
    assert found.good
    assert found.found.endswith("is a running gateway's")
    assert seen[0][0] == "/health"


def test_local_runner(tmp_path, monkeypatch):
    provider = Provider(kind="local", path=str(tmp_path))
    monkeypatch.setattr(probes, "find_spec", lambda name: None)
    found = probes.local_runner("local", provider)
    assert not found.good
    assert found.mend == "pip install 'penstock[local]'"
    monkeypatch.setattr(probes, "find_spec", lambda name: name)
    assert probes.local_runner("local", provider).good
    assert not probes.local_runner("local", Provider(kind="local", path=str(tmp_path / "x"))).good
