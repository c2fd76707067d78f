"""A collector on the loopback that takes OTLP over HTTP, and reads it by the protocol's own messages."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

END_SECONDS = 30.0
Message = ExportTraceServiceRequest | ExportMetricsServiceRequest
MESSAGES: dict[str, type[Message]] = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
}


class Collector:
    """Takes what is sent, or answers with another `status`; `hold` keeps who sends waiting until it is set."""

    def __init__(self) -> None:
        self.status = 200
        self.hold = threading.Event()
        self.hold.set()
        self.came: list[tuple[str, dict[str, str], bytes]] = []
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def spans(self) -> list[Any]:
        """All that came, with what sent them under `resource`."""
        return [
            span
            for message in self.messages("/v1/traces")
            for resource in message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def metrics(self) -> dict[str, list[Any]]:
        """The newest points of each metric, by its name."""
        found: dict[str, list[Any]] = {}
        for message in self.messages("/v1/metrics"):
            for resource in message.resource_metrics:
                for scope in resource.scope_metrics:
                    for metric in scope.metrics:
                        kind = metric.WhichOneof("data")
                        found[metric.name] = list(getattr(metric, kind).data_points)
        return found

    @property
    def resource(self) -> dict[str, Any]:
        """What the last one that sent spans says of itself."""
        [*_, last] = self.messages("/v1/traces")
        return attributes(last.resource_spans[0].resource)

    @property
    def everything(self) -> bytes:
        """All that came, with its headers."""
        with self._changed:
            return b"".join(repr(headers).encode() + data for _, headers, data in self.came)

    def wait(self, until: Callable[[Collector], bool]) -> None:
        """Returns once it is so; looks at each arrival."""
        with self._changed:
            assert self._changed.wait_for(lambda: until(self), END_SECONDS), self.came

    def messages(self, path: str) -> list[Any]:
        """What came by a path."""
        with self._changed:
            return [MESSAGES[path].FromString(data) for at, _, data in self.came if at == path]

    def _take(self, path: str, headers: dict[str, str], data: bytes) -> None:
        with self._changed:
            self.came.append((path, headers, data))
            self._changed.notify_all()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["content-length"]))
                collector.hold.wait(END_SECONDS)
                headers = {name.lower(): value for name, value in self.headers.items()}
                if collector.status == 200:
                    collector._take(self.path, headers, data)
                self.send_response(collector.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """It says nothing."""

        return Handler


def attributes(of: Any) -> dict[str, Any]:
    """A message's attributes as plain values."""
    found = {}
    for pair in of.attributes:
        kind = pair.value.WhichOneof("value")
        value = getattr(pair.value, kind)
        if kind == "array_value":
            value = [one.string_value for one in value.values]
        found[pair.key] = value
    return found
