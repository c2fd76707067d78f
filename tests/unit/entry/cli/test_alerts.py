"""`penstock alerts`: channels tried by real conversations on this machine, and what is listed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from penstock.auth.signatures import verified
from penstock.entry.cli import main
from tests.mailbox import mailbox

SECRET = "s" * 32


class Receiver:
    """A webhook on this machine: keeps what it is sent, and answers with `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.bodies: list[bytes] = []
        self.headers: list[Any] = []
        kept = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                kept.headers.append(self.headers)
                kept.bodies.append(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(kept.status)
                self.send_header("location", "http://169.254.169.254/")
                self.send_header("content-length", "6")
                self.end_headers()
                self.wfile.write(b"secret")

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def configure(home: Path, receiver: Receiver, port: int) -> None:
    (home / "penstock.toml").write_text(f"""
[alerting.channels.ops]
kind = "webhook"
url = "{receiver.url}"
secret = "{SECRET}"
[alerting.channels.chat]
kind = "slack"
url = "{receiver.url}"
[alerting.channels.post]
kind = "email"
to = ["ops@example.com"]
[mail]
host = "127.0.0.1"
port = {port}
security = "none"
sender = "penstock@example.com"
""")


def test_each_channel_is_tried_and_says_what_came_back(home, receiver, capsys) -> None:
    with mailbox() as box:
        configure(home, receiver, box.port)
        assert main(["alerts", "test"]) == 0
        [envelope] = box.envelopes
    assert b"somebody asked" in (envelope.content or b"")
    told = json.loads(receiver.bodies[0])
    assert (told["event"], told["subjects"]) == ("test", [])
    signature = receiver.headers[0]["penstock-signature"]
    assert verified(signature, receiver.bodies[0], [SECRET], float(signature[2:12]))
    assert receiver.headers[0]["penstock-notice"] == told["id"]
    assert json.loads(receiver.bodies[1])["blocks"][0]["type"] == "header"
    assert capsys.readouterr().out.split("\n")[1:4] == [
        "ops      webhook  yes      http 200",
        "chat     slack    yes      http 200",
        "post     email    yes      taken",
    ]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_one_that_does_not_take_it_is_told_without_its_words(
    home, receiver, capsys, status
) -> None:
    receiver.status = status
    configure(home, receiver, 9)
    assert main(["alerts", "test", "--json"]) == 1
    said = capsys.readouterr()
    found = {one["channel"]: one for one in json.loads(said.out)["channels"]}
    assert found["ops"]["status"] == f"http {status}"
    assert found["post"] == {"channel": "post", "kind": "email", "arrived": False, "status": "upstream_unreachable"}  # fmt: skip
    assert "secret" not in said.out + said.err
    assert len(receiver.bodies) == 2  # no redirect is followed


def test_one_channel_alone(home, receiver, capsys) -> None:
    configure(home, receiver, 9)
    assert main(["alerts", "test", "--channel", "chat"]) == 0
    assert len(receiver.bodies) == 1
    assert main(["alerts", "test", "--channel", "nobody"]) == 2
    assert "no channel is called nobody; there are ops, chat, post" in capsys.readouterr().err


def test_without_channels_it_says_what_to_do(home, capsys) -> None:
    assert main(["alerts", "test"]) == 2
    assert "add [alerting.channels.NAME]" in capsys.readouterr().err
    assert main(["alerts", "list"]) == 0
    assert "add [alerting.channels.NAME]" in capsys.readouterr().out


def test_what_is_listed(home, receiver, capsys) -> None:
    configure(home, receiver, 9)
    assert main(["alerts", "list"]) == 0
    assert "nothing fires" in capsys.readouterr().out
    assert main(["alerts", "list", "--json"]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)["channels"]] == [
        "ops",
        "chat",
        "post",
    ]
