"""OpenTelemetry's SDK behind `Traces`: what it sends, and what becomes of what cannot be sent."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from penstock.config.telemetry import Telemetry
from penstock.platforms.telemetry import opened
from penstock.platforms.telemetry.daemon import within
from penstock.platforms.telemetry.measures import Measures
from penstock.platforms.telemetry.traces import BATCH, CONTENT, OtlpTraces
from penstock.wire.tracing import Span, Told
from tests.collector import Collector, attributes

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALL: dict[str, Told] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "m",
    "penstock.target": "house/m",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 20,
    "gen_ai.usage.cache_read.input_tokens": 60,
    "gen_ai.response.time_to_first_chunk": 0.5,
    "gen_ai.response.finish_reasons": ["stop"],
    "penstock.cost.nanodollars": 7,
}


def span(name: str = "chat m", **how: Any) -> Span:
    how = {"id": "00f067aa0ba902b7", "attributes": dict(CALL), "kind": "client"} | how
    return Span(name=name, trace=TRACE, began=1_800_000_000.0, ended=1_800_000_001.5, **how)


class Slow(SpanExporter):
    """Takes one batch, and no more until it is let go."""

    def __init__(self) -> None:
        self.began, self.go = threading.Event(), threading.Event()
        self.batches: list[list[str]] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.began.set()
        self.go.wait(30)
        self.batches.append([span.name for span in spans])
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.go.set()


def traces(exporter: SpanExporter, most: int = 1_000) -> OtlpTraces:
    return OtlpTraces(exporter, Resource.create({}), Measures(MeterProvider()), 0.01, most)


async def test_a_span_is_sent_as_it_was() -> None:
    with Collector() as collector:
        settings = Telemetry(enabled=True, endpoint=f"{collector.url}/", headers={"x-key": "k"})
        async with opened(settings) as traces:
            traces.record([span(parent="00000000000000aa", error="upstream_failed")])
        [sent] = collector.spans
        assert (sent.name, sent.trace_id.hex(), sent.span_id.hex()) == (
            "chat m", TRACE, "00f067aa0ba902b7",
        )  # fmt: skip
        assert sent.parent_span_id.hex() == "00000000000000aa"
        assert sent.end_time_unix_nano - sent.start_time_unix_nano == 1_500_000_000
        assert (sent.kind, sent.status.code) == (
            sent.SPAN_KIND_CLIENT,
            sent.status.STATUS_CODE_ERROR,
        )
        assert attributes(sent) == CALL
        assert collector.resource["service.name"] == "penstock"
        assert {headers["x-key"] for _, headers, _ in collector.came} == {"k"}


async def test_metrics_are_read_off_all_spans_sampled_or_not() -> None:
    with Collector() as collector:
        async with opened(Telemetry(enabled=True, endpoint=collector.url)) as traces:
            traces.record([span(), span(sampled=False)])
            made_up = CALL | {"penstock.target": "house/*", "gen_ai.request.model": "hush"}
            traces.record([span(attributes=made_up, sampled=False)])
            server = {"http.route": "/v1/x", "http.request.method": "POST", "penstock.caller": "c"}
            traces.record([span(kind="server", attributes=server, sampled=False)])
            looked = {"penstock.cache": "hit", "penstock.cache.kind": "chat"}
            traces.record([span(kind="internal", attributes=looked, sampled=False)])
            texts = {"gen_ai.operation.name": "embeddings", "gen_ai.usage.input_tokens": 3}
            traces.record([span(attributes=texts, sampled=False)])
            found = {"gen_ai.operation.name": "retrieval"}
            traces.record([span(kind="internal", attributes=found, sampled=False)])
        assert len(collector.spans) == 1
        metrics = collector.metrics
    client = "gen_ai.client"
    assert metrics.keys() == {
        "http.server.request.duration", f"{client}.inference.duration", f"{client}.inference.time_to_first_chunk",
        f"{client}.inference.usage.input_tokens", f"{client}.inference.usage.output_tokens",
        f"{client}.inference.usage.cache_read.input_tokens", f"{client}.inference.operation.input_tokens",
        f"{client}.inference.operation.output_tokens", f"{client}.embeddings.duration",
        f"{client}.embeddings.operation.input_tokens", f"{client}.operation.duration",
        "penstock.cost.nanodollars", "penstock.cache.looks",
    }  # fmt: skip
    by_model = {
        attributes(point)["gen_ai.request.model"]: point
        for point in metrics[f"{client}.inference.duration"]
    }
    assert by_model.keys() == {"m", "*"}
    assert (by_model["m"].count, by_model["m"].sum) == (2, 3.0)
    assert attributes(by_model["m"]) == {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "m",
        "penstock.target": "house/m",
    }  # fmt: skip
    used = metrics[f"{client}.inference.usage.input_tokens"]
    assert sum(point.as_int for point in used) == 300
    [request] = metrics["http.server.request.duration"]
    assert attributes(request) == {"http.route": "/v1/x", "http.request.method": "POST"}


async def test_the_environment_says_what_the_file_leaves_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=from-env")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "edge-of-acme")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        async with opened(Telemetry(enabled=True)) as traces:
            traces.record([span()])
        assert collector.resource["service.name"] == "edge-of-acme"
        assert collector.resource["deployment.environment.name"] == "test"
        assert collector.came[0][1]["x-key"] == "from-env"


async def test_a_slow_collector_costs_spans_and_nothing_else() -> None:
    slow = Slow()
    kept = traces(slow, most=10)
    kept.record([span("first")])
    assert slow.began.wait(30)
    start = time.perf_counter()
    for number in range(50):
        kept.record([span(str(number))])
    assert time.perf_counter() - start < 1  # it waits 30 s for one that does not answer
    assert kept.dropped == 40
    slow.go.set()
    await kept.aclose(30)
    assert [name for batch in slow.batches for name in batch] == ["first", *map(str, range(10))]
    kept.record([span("late")])
    assert kept.dropped == 41


async def test_prompts_take_room_by_their_length() -> None:
    slow = Slow()
    kept = traces(slow, most=10)
    kept.record([span("first")])
    assert slow.began.wait(30)
    kept.record([span(attributes={CONTENT: "x" * 40_000})])
    kept.record([span(attributes={CONTENT: "x" * 30_000})])
    assert kept.dropped == 1
    slow.go.set()
    await kept.aclose(30)


async def test_a_stop_does_not_wait_for_a_collector_that_does_not_answer() -> None:
    slow = Slow()
    kept = traces(slow, most=10_000)
    kept.record([span("first")])
    assert slow.began.wait(30)
    for number in range(BATCH + 1):
        kept.record([span(str(number))])
    await kept.aclose(0.01)
    assert kept.failed >= 1


@pytest.mark.parametrize("status", [400, 503])
async def test_what_the_collector_refuses_is_counted_and_said_once(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with Collector() as collector, caplog.at_level(logging.WARNING):
        collector.status = status
        settings = Telemetry(enabled=True, endpoint=collector.url, timeout_seconds=0.1)
        async with opened(settings) as traces:
            for _ in range(3):
                traces.record([span()])
        assert traces.failed == 3
        assert len(caplog.records) == 1
        assert "telemetry.endpoint" in caplog.text
        assert collector.url not in caplog.text


async def test_nobody_there_is_the_same(caplog: pytest.LogCaptureFixture) -> None:
    with Collector() as collector:
        url = collector.url
    settings = Telemetry(enabled=True, endpoint=url, timeout_seconds=0.1, headers={"x-key": "hush"})
    async with opened(settings) as traces:
        traces.record([span()])
    assert traces.failed == 1
    assert "hush" not in caplog.text
    assert logging.getLogger("opentelemetry").propagate


class Broken(Slow):
    """Takes nothing, by an error of its own."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        super().export(spans)
        raise ValueError("sk-secret")


async def test_every_span_of_a_piece_that_broke_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = Broken()
    kept = traces(broken)
    kept.record([span("first")])
    assert broken.began.wait(30)
    kept.record([span(str(number)) for number in range(6)])
    broken.go.set()
    await kept.aclose(30)
    assert kept.failed == 7
    assert "ValueError" in caplog.text
    assert "sk-secret" not in caplog.text


async def test_one_span_that_cannot_be_read_takes_no_other_along() -> None:
    slow = Slow()
    slow.go.set()
    kept = traces(slow)
    kept.record([span("one"), span("bad", id="no hex"), span("two")])
    await kept.aclose(30)
    assert kept.failed == 1
    assert slow.batches == [["one", "two"]]


async def test_what_takes_too_long_goes_on_without_who_waited() -> None:
    go, ended = threading.Event(), threading.Event()

    def work() -> None:
        go.wait(30)
        ended.set()

    assert not await within(0.01, work)
    go.set()
    assert await asyncio.to_thread(ended.wait, 30)
    assert await within(30, lambda: None)
