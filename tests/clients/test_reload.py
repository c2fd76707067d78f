"""SIGHUP to a real process: new requests by the new file, running ones by the old, a bad file ignored and named."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from load.fake_provider import FakeProvider
from tests.clients.conftest import CONFIG, environment
from tests.clients.process import Penstock, token

OTHER = CONFIG.replace('simple = "openai/gpt-4o-mini"', 'simple = "openai/gpt-4o"')


@pytest.fixture
def served(provider: FakeProvider, fresh_home: Callable[[str], Path]) -> Iterator[Penstock]:
    with Penstock(fresh_home("reloaded"), CONFIG, environment(provider)) as gateway:
        yield gateway


def reload(gateway: Penstock, text: str) -> dict[str, Any]:
    """Writes the file, signals, and returns what the process says of it."""
    (gateway.home / "penstock.toml").write_text(text)
    assert gateway.process is not None
    assert gateway.process.stderr is not None
    gateway.process.send_signal(signal.SIGHUP)
    said: dict[str, Any] = json.loads(gateway.process.stderr.readline())
    return said


def chat(gateway: Penstock, text: str, **more: Any) -> httpx.Response:
    body = {"model": "auto", "messages": [{"role": "user", "content": text}], **more}
    url = f"{gateway.url}/v1/chat/completions"
    return httpx.post(url, json=body, headers={"authorization": f"Bearer {token('reloader')}"})


def test_good_bad_and_good_again(served: Penstock, fake: FakeProvider) -> None:
    assert chat(served, "one").headers["x-penstock-target"] == "openai/gpt-4o-mini"
    said = reload(served, OTHER)
    assert (said["reload"], said["level"]) == ("done", "info")
    assert chat(served, "two").headers["x-penstock-target"] == "openai/gpt-4o"
    said = reload(served, OTHER.replace("[routes.auto]", "[routes.auto]\npolcy = 1"))
    assert (said["reload"], said["code"]) == ("refused", "misconfigured")
    assert "polcy" in said["error"]
    assert chat(served, "three").headers["x-penstock-target"] == "openai/gpt-4o"
    said = reload(served, f'data = "/elsewhere"\n{CONFIG}')
    assert (said["reload"], said["restart_for"]) == ("done", ["data"])
    assert chat(served, "four").headers["x-penstock-target"] == "openai/gpt-4o-mini"
    assert served.rows("select count(*) from ledger where stage = 'final'") == [(4,)]


def test_a_stream_outlives_the_configuration_it_began_under(
    served: Penstock, fake: FakeProvider
) -> None:
    body = {
        "model": "auto",
        "stream": True,
        "messages": [{"role": "user", "content": "[[fault:gate=3]] one two three"}],
    }
    sent = {"authorization": f"Bearer {token('streamer')}"}
    url = f"{served.url}/v1/chat/completions"
    with httpx.stream("POST", url, json=body, headers=sent) as reply:
        lines = reply.iter_lines()
        next(lines)
        assert reload(served, OTHER)["reload"] == "done"
        fake.release()
        assert [line for line in lines if line][-1] == "data: [DONE]"
    charged = fake.look_up(f"{reply.headers['x-request-id']}.1")
    assert charged is not None
    (*_, last) = served.ledger(reply.headers["x-request-id"])
    assert last == ("final", "settled", charged["charged_nanos"])
