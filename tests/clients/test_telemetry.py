"""Spans and metrics of a real server, by OTLP to a real receiver, and nothing of a request's secrets among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from load.fake_provider import FakeProvider
from tests.clients.conftest import CONFIG, environment
from tests.clients.process import Penstock, token
from tests.collector import Collector, attributes

CANARY = "canary-5b1e"
KEY = "collector-key-5b1e"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TELEMETRY = """
[telemetry]
enabled = true
endpoint = "${COLLECTOR}"
headers = { "x-collector-key" = "${COLLECTOR_KEY}" }
metrics_seconds = 1
timeout_seconds = 1
"""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.fixture
def home(
    provider: FakeProvider, fresh_home: Callable[[str], Path], collector: Collector
) -> Penstock:
    env = environment(provider) | {"COLLECTOR": collector.url, "COLLECTOR_KEY": KEY}
    return Penstock(fresh_home("telemetry"), CONFIG + TELEMETRY, env)


def chat(gateway: Penstock, text: str, **more: Any) -> httpx.Response:
    headers = {
        "authorization": f"Bearer {token('alice')}",
        "traceparent": f"00-{TRACE}-{PARENT}-01",
        "cookie": CANARY,
    }
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], **more}
    url = f"{gateway.url}/v1/chat/completions?secret={CANARY}"
    return httpx.post(url, json=body, headers=headers, timeout=30)


def test_a_callers_trace_arrives_with_its_metrics_and_no_secrets(
    home: Penstock, collector: Collector
) -> None:
    with home as gateway:
        assert chat(gateway, f"hello {CANARY}").status_code == 200
        assert chat(gateway, f"hello {CANARY}", stream=True).status_code == 200
        collector.wait(lambda collector: len(collector.spans) >= 5)
        collector.wait(lambda collector: "http.server.request.duration" in collector.metrics)
    spans = collector.spans
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    roots = [span for span in spans if span.name == "POST /v1/chat/completions"]
    assert [root.parent_span_id.hex() for root in roots] == [PARENT, PARENT]
    [call] = [span for span in spans if span.name == "chat gpt-4o-mini"]
    said = attributes(call)
    assert said["server.address"] == "127.0.0.1"
    assert said["gen_ai.usage.input_tokens"] > 0
    assert call.parent_span_id in {root.span_id for root in roots}
    assert roots[0].start_time_unix_nano <= call.start_time_unix_nano < call.end_time_unix_nano
    assert "gen_ai.client.inference.duration" in collector.metrics
    for secret in (CANARY, home.env["OPENAI_API_KEY"], token("alice")):
        assert secret.encode() not in collector.everything
    assert all(headers["x-collector-key"] == KEY for _, headers, _ in collector.came)
    lines = home.access()
    assert {line["trace"] for line in lines} == {TRACE}
    assert CANARY not in (home.home / "access.log").read_text()


def test_what_waits_is_sent_at_a_stop(home: Penstock, collector: Collector) -> None:
    with home as gateway:
        assert chat(gateway, "hello").status_code == 200
    assert len(collector.spans) == 3
    assert "http.server.request.duration" in collector.metrics


def test_a_collector_that_is_gone_is_no_requests_affair(
    home: Penstock, collector: Collector
) -> None:
    collector.hold.clear()
    home.start()
    for number in range(3):
        assert chat(home, f"hello {number}").status_code == 200
    said = home.stop()
    assert KEY not in said
    assert "Traceback" not in said
    assert said.count("telemetry.endpoint") <= 1
    collector.hold.set()


def test_several_processes_are_several_instances(home: Penstock, collector: Collector) -> None:
    for _ in range(2):
        with home as gateway:
            assert chat(gateway, "hello").status_code == 200
    resources = {
        attributes(resource.resource)["service.instance.id"]
        for message in collector.messages("/v1/traces")
        for resource in message.resource_spans
    }
    assert len(resources) == 2


def test_without_the_sdk_a_start_is_refused_and_says_what_to_install(home: Penstock) -> None:
    hidden = home.home / "hidden" / "opentelemetry"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("")
    home.env["PYTHONPATH"] = str(hidden.parent)
    done = home.tried("serve", "--port", "0")
    assert done.returncode != 0
    assert "pip install 'penstock[telemetry]'" in done.stderr
    assert "Traceback" not in done.stderr
