"""The npm `openai` package against the running gateway: node scripts that print what they saw."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from load.fake_provider import FakeProvider
from tests.clients.conftest import Served
from tests.clients.process import token, until

HERE = Path(__file__).parent
NODE = shutil.which("node") or ""
SECONDS = 60.0

pytestmark = pytest.mark.skipif(not NODE, reason="node is not installed; `make test` says how")


@pytest.fixture
def run(gateway: Served, fake: FakeProvider, sub: str) -> Any:
    """Runs one scenario as this test's caller."""
    assert (HERE / "node_modules" / "openai").is_dir(), "run `npm ci` in tests/clients"
    env = os.environ | {
        "OPENAI_BASE_URL": f"{gateway.url}/v1",
        "OPENAI_API_KEY": token(sub),
        "ONCE_KEY": token(f"{sub}-once", tier="once"),
    }

    def scenario(name: str) -> Any:
        command = [NODE, str(HERE / "npm" / "scenarios.mjs"), name]
        done = subprocess.run(
            command, env=env, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return scenario


def test_chat_and_tools(run: Any) -> None:
    seen = run("chat")
    assert seen["text"].startswith("echo hello there #")
    assert (seen["usage"]["prompt_tokens"], seen["usage"]["completion_tokens"]) == (2, 4)
    assert len(set(seen["requestID"])) == 1
    assert seen["requestID"][0].startswith("req_")
    assert seen["remaining"] == "99"
    assert seen["tool"] == ["tool_calls", "weather", {"city": "text"}]
    assert seen["told"] == "stop"
    assert seen["models"][0] == "auto"
    assert seen["model"] == "openai/gpt-4o"


def test_streams(run: Any, fake: FakeProvider, gateway: Served, sub: str) -> None:
    seen = run("stream")
    assert seen["text"].startswith("echo hello there #")
    assert seen["usage"]["total_tokens"] == 6
    assert seen["finish"] == "stop"
    assert seen["chunks"] > 4
    assert seen["broken"]["code"] == "upstream_broken"
    states = [row["state"] for row in fake.meter(finished=3, wait_seconds=1)["rows"]]
    assert states == ["done", "cut", "cut"]
    sql = "select ended from ledger where sub = ? and stage = 'final' order by at"
    ended = until(lambda: rows if len(rows := gateway.rows(sql, sub)) == 3 else None)
    assert ended == [("settled",), ("estimated",), ("estimated",)]


def test_embeddings(run: Any, fake: FakeProvider) -> None:
    seen = run("embeddings")
    assert seen["lengths"] == [[1536], [1536, 1536], [1536], [8]]
    assert seen["same"] is True
    assert seen["norm"] == pytest.approx(1, abs=1e-3)
    assert (seen["model"], seen["tokens"]) == ("text-embedding-3-small", 2)
    inputs = [json.loads(request["body"])["input"] for request in fake.requests()]
    assert inputs == [["hello"], ["world"], ["hello"]]


def test_error_classes(run: Any) -> None:
    seen = run("errors")
    told = {name: (one["name"], one["status"], one["code"]) for name, one in seen.items()}
    assert told == {
        "key": ("AuthenticationError", 401, "invalid_api_key"),
        "model": ("NotFoundError", 404, "model_not_found"),
        "body": ("BadRequestError", 400, "invalid_field"),
        "impatient": ("InternalServerError", 504, "upstream_timeout"),
        "timeout": ("APIConnectionTimeoutError", None, None),
        "again": ("RateLimitError", 429, "rate_limit_exceeded"),
    }
    assert seen["body"]["param"] == "temperature"
    assert seen["impatient"]["shouldRetry"] == "false"
    assert 3_590 <= int(seen["again"]["retryAfter"]) <= 3_600
    assert all(one["requestID"].startswith("req_") for one in seen.values() if one["status"])


def test_retries(run: Any, fake: FakeProvider) -> None:
    # The route `impatient` tries once: the second call, after the SDK's own wait, is answered.
    fake.fault("reset_after", times=1)
    fake.fault("503", 0.01, times=1)
    seen = run("retries")
    assert (seen["billed"]["status"], seen["billed"]["shouldRetry"]) == (502, "false")
    assert seen["text"].startswith("echo hello there #")
    assert fake.meter()["calls"] == 3
