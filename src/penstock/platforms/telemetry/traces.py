"""`Traces` that a thread sends in small pieces: the loop only puts them down."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from penstock import __version__
from penstock.platforms.telemetry.daemon import within
from penstock.platforms.telemetry.measures import Measures
from penstock.wire.tracing import Span

LOG = logging.getLogger(__name__)
MOST_HELD = 8_192
"""Spans that may wait, and in place of one each 4 KB of prompts."""
CONTENT = "gen_ai.input.messages"
CONTENT_UNIT = 4_096
BATCH = 256
"""Spans of one sending: a larger one would hold the interpreter for longer."""
PIECE = 16
"""Requests that are read in one go, before the loop gets the interpreter back."""
EVERY_SECONDS = 1.0
SCOPE = InstrumentationScope("penstock", __version__)
KINDS = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT, "internal": SpanKind.INTERNAL}
FAILED = Status(StatusCode.ERROR)
WELL = Status(StatusCode.UNSET)
SAMPLED = TraceFlags(TraceFlags.SAMPLED)


class OtlpTraces:
    """Measures all spans, and sends those that are sampled. Nothing is held beyond a bound, whatever the collector does."""

    def __init__(
        self, exporter: SpanExporter, resource: Resource, measures: Measures,
        every: float = EVERY_SECONDS, most: int = MOST_HELD,
    ) -> None:  # fmt: skip
        self.dropped = 0
        self.failed = 0
        self._exporter = exporter
        self._resource = resource
        self._measures = measures
        self._every = every
        self._most = most
        self._waiting: deque[tuple[int, Sequence[Span]]] = deque()
        # One thread adds to each of the two: what is held is their difference.
        self._put = self._taken = 0
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)
        self._thread.start()

    def record(self, spans: Sequence[Span]) -> None:
        weight = len(spans)
        for span in spans:
            if (content := span.attributes.get(CONTENT)) and isinstance(content, str):
                weight += len(content) // CONTENT_UNIT
        if self._closing or self._put - self._taken + weight > self._most:
            self.dropped += len(spans)
            return
        self._put += weight
        self._waiting.append((weight, spans))
        if self._put - self._taken > BATCH and not self._wake.is_set():
            self._wake.set()

    async def aclose(self, seconds: float) -> None:
        """Sends what waits, for so long; what is left then is lost, and counted."""
        self._closing = True
        self._wake.set()
        await within(seconds, self._thread.join)
        self._exporter.shutdown()
        with suppress(IndexError):  # the thread, which may go on, took the last
            while self._waiting:
                self.failed += len(self._waiting.popleft()[1])

    def _run(self) -> None:
        while True:
            self._wake.wait(self._every)
            self._wake.clear()
            closing = self._closing
            while self._waiting:
                self._send(self._next())
            if closing:
                return

    def _next(self) -> list[ReadableSpan]:
        """The next spans to send; all are measured."""
        found: list[ReadableSpan] = []
        read = 0
        while self._waiting and len(found) < BATCH:
            try:
                weight, spans = self._waiting.popleft()
            except IndexError:
                break  # a stop that waited long enough has taken the last
            self._taken += weight
            for span in spans:
                try:
                    self._measures.observe(span)
                    if span.sampled:
                        found.append(self._readable(span))
                except Exception as error:  # noqa: BLE001 - whatever it is, the others are to be sent
                    self._lost(1, error)
            read += 1
            if read % PIECE == 0:
                time.sleep(0)
        return found

    def _send(self, spans: Sequence[ReadableSpan]) -> None:
        if not spans:
            return
        try:
            sent = self._exporter.export(spans)
        except Exception as error:  # noqa: BLE001 - whatever it is, what comes next is to be sent
            self._lost(len(spans), error)
            return
        if sent is not SpanExportResult.SUCCESS:
            self.failed += len(spans)

    def _lost(self, number: int, error: Exception) -> None:
        self.failed += number
        LOG.error("A piece of telemetry was lost to %s.", type(error).__name__)

    def _readable(self, span: Span) -> ReadableSpan:
        trace = int(span.trace, 16)
        parent = None
        if span.parent:
            parent = SpanContext(trace, int(span.parent, 16), is_remote=span.kind == "server")
        return ReadableSpan(
            span.name,
            SpanContext(trace, int(span.id, 16), is_remote=False, trace_flags=SAMPLED),
            parent,
            self._resource,
            dict(span.attributes),
            kind=KINDS[span.kind],
            status=FAILED if span.error else WELL,
            start_time=int(span.began * 1e9),
            end_time=int(span.ended * 1e9),
            instrumentation_scope=SCOPE,
        )
