"""OpenTelemetry's metrics, read off spans: by the GenAI conventions (v0.1.0) and the HTTP ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opentelemetry.metrics import Histogram, MeterProvider

from penstock import __version__
from penstock.wire.tracing import Span, Told

SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
HTTP_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
TOKENS = tuple(4**power for power in range(14))
USAGE = {
    "gen_ai.usage.input_tokens": "input_tokens",
    "gen_ai.usage.output_tokens": "output_tokens",
    "gen_ai.usage.cache_read.input_tokens": "cache_read.input_tokens",
    "gen_ai.usage.cache_write.input_tokens": "cache_write.input_tokens",
    "gen_ai.usage.reasoning.output_tokens": "reasoning.output_tokens",
}
OPERATION = ("input_tokens", "output_tokens")
FIRST = "gen_ai.response.time_to_first_chunk"
COST = "penstock.cost.nanodollars"
OF_CALLS = ("gen_ai.operation.name", "gen_ai.provider.name", "server.address", "server.port", "error.type")  # fmt: skip
OF_REQUESTS = ("http.request.method", "http.route", "http.response.status_code", "url.scheme", "error.type")  # fmt: skip
MODEL, TARGET = "gen_ai.request.model", "penstock.target"
MADE_UP = "/*"
"""How a target ends whose model is a caller's own word: of those there may be any number."""


class Measures:
    """The instruments; each span is counted once, whether it is sent or not."""

    def __init__(self, provider: MeterProvider) -> None:
        meter = provider.get_meter("penstock", __version__)

        def times(name: str, about: str) -> Histogram:
            return meter.create_histogram(
                name, "s", about, explicit_bucket_boundaries_advisory=SECONDS
            )

        def tokens(name: str) -> Histogram:
            return meter.create_histogram(
                name, "{token}", "Tokens of one call.", explicit_bucket_boundaries_advisory=TOKENS
            )

        client = "gen_ai.client"
        self._server = meter.create_histogram(
            "http.server.request.duration", "s", "Until the end of a request's reply.",
            explicit_bucket_boundaries_advisory=HTTP_SECONDS,
        )  # fmt: skip
        self._times = {
            "chat": times(f"{client}.inference.duration", "Until the end of an answer."),
            "embeddings": times(f"{client}.embeddings.duration", "Until the vectors were there."),
            "retrieval": times(f"{client}.operation.duration", "Until passages were found."),
        }
        self._first = times(f"{client}.inference.time_to_first_chunk", "Until the first chunk.")
        self._used = {
            name: meter.create_counter(f"{client}.inference.usage.{short}", "{token}")
            for name, short in USAGE.items()
        }
        self._sizes = {
            f"gen_ai.usage.{short}": tokens(f"{client}.inference.operation.{short}")
            for short in OPERATION
        }
        self._texts = tokens(f"{client}.embeddings.operation.input_tokens")
        self._cost = meter.create_counter(COST, "{nanodollar}", "What calls were charged.")
        self._cache = meter.create_counter("penstock.cache.looks", "{look}", "Looks into a cache.")

    def observe(self, span: Span) -> None:
        """One more of whatever it was."""
        took, said = span.ended - span.began, span.attributes
        if span.kind == "server":
            self._server.record(took, _some(said, OF_REQUESTS))
        elif operation := said.get("gen_ai.operation.name"):
            self._operation(str(operation), took, said)
        elif kind := said.get("penstock.cache.kind"):
            found = {"penstock.cache.kind": kind, "penstock.cache": said.get("penstock.cache", "")}
            self._cache.add(1, found)

    def _operation(self, operation: str, took: float, said: Mapping[str, Told]) -> None:
        labels = _some(said, OF_CALLS) | _model(said)
        if operation in self._times:
            self._times[operation].record(took, labels)
        if operation == "embeddings":
            self._count(self._texts, said.get("gen_ai.usage.input_tokens"), labels)
        elif operation == "chat":
            self._count(self._first, said.get(FIRST), labels)
            for name, counter in self._used.items():
                if value := said.get(name):
                    counter.add(_number(value), labels)
            for name, sizes in self._sizes.items():
                self._count(sizes, said.get(name), labels)
        if value := said.get(COST):
            self._cost.add(_number(value), labels)

    @staticmethod
    def _count(histogram: Histogram, value: Told | None, labels: Mapping[str, Told]) -> None:
        if value is not None:
            histogram.record(_number(value), labels)


def _some(said: Mapping[str, Told], names: Sequence[str]) -> dict[str, Told]:
    return {name: said[name] for name in names if name in said}


def _model(said: Mapping[str, Told]) -> dict[str, Told]:
    """The model, of which there are as many as are configured."""
    target = str(said.get(TARGET, ""))
    if MODEL not in said:
        return {}
    return {MODEL: "*" if target.endswith(MADE_UP) else said[MODEL], TARGET: target}


def _number(value: Told) -> float:
    assert isinstance(value, int | float)
    return value
