"""Spans and metrics by OTLP over HTTP, through OpenTelemetry's SDK (extra `telemetry`)."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from penstock import __version__
from penstock.config.telemetry import Telemetry
from penstock.platforms.telemetry.daemon import within
from penstock.platforms.telemetry.measures import Measures
from penstock.platforms.telemetry.traces import OtlpTraces

LOG = logging.getLogger(__name__)
NAME = "penstock"
CLOSING_SECONDS = 5.0
"""How long a stop waits for what is left to be sent."""
SAID_SECONDS = 60.0
"""Between two words on a collector that does not answer."""


@asynccontextmanager
async def opened(settings: Telemetry) -> AsyncGenerator[OtlpTraces]:
    """Where spans go; what waits at the end is sent, for as long as a stop may take."""
    with _quiet():
        resource = _resource()
        provider = _meters(settings, resource)
        exporter = OTLPSpanExporter(
            endpoint=_at(settings, "traces"),
            headers=settings.headers or None,
            timeout=settings.timeout_seconds,
        )
        traces = OtlpTraces(exporter, resource, Measures(provider))
        try:
            yield traces
        finally:
            await traces.aclose(CLOSING_SECONDS)
            await within(CLOSING_SECONDS, provider.shutdown)


def _meters(settings: Telemetry, resource: Resource) -> MeterProvider:
    exporter = OTLPMetricExporter(
        endpoint=_at(settings, "metrics"),
        headers=settings.headers or None,
        timeout=settings.timeout_seconds,
    )
    reader = PeriodicExportingMetricReader(
        exporter,
        export_interval_millis=settings.metrics_seconds * 1_000,
        export_timeout_millis=settings.timeout_seconds * 1_000,
    )
    return MeterProvider([reader], resource, shutdown_on_exit=False)


def _resource() -> Resource:
    """What sends; each process is an instance of its own, or their metrics would be one series."""
    said: dict[str, str] = {
        "service.version": __version__,
        "service.instance.id": os.urandom(8).hex(),
    }
    given = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    if not os.environ.get("OTEL_SERVICE_NAME") and "service.name=" not in given:
        said["service.name"] = NAME
    return Resource.create(dict(said))


def _at(settings: Telemetry, signal: str) -> str | None:
    return f"{settings.endpoint.rstrip('/')}/v1/{signal}" if settings.endpoint else None


class _Heard(logging.Handler):
    """Says once in a while that something cannot be sent, without what the SDK says of it, which may hold anything."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._again = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        now = time.monotonic()
        if now >= self._again:
            self._again = now + SAID_SECONDS
            LOG.error("Telemetry cannot be sent: is the collector at telemetry.endpoint there?")


@contextmanager
def _quiet() -> Iterator[None]:
    """The SDK's own words go nowhere."""
    theirs, heard = logging.getLogger("opentelemetry"), _Heard()
    before = theirs.propagate
    theirs.propagate = False
    theirs.addHandler(heard)
    try:
        yield
    finally:
        theirs.removeHandler(heard)
        theirs.propagate = before
