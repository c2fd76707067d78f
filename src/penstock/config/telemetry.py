"""Where spans and metrics are sent, and what of a request is in them."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta, Struct, field

from penstock.config.bounds import Share
from penstock.config.urls import parts_of
from penstock.errors import Misconfigured

Interval = Annotated[float, Meta(ge=1, le=3_600)]
Wait = Annotated[float, Meta(gt=0, le=60)]

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")


class Telemetry(Struct, frozen=True, forbid_unknown_fields=True):
    """OpenTelemetry: spans and metrics by OTLP over HTTP (extra `telemetry`). `OTEL_…` variables hold where nothing is written here."""

    enabled: bool = False
    """Whether they are sent."""
    endpoint: str = ""
    """The collector's root, as `http://collector:4318`; empty: `OTEL_EXPORTER_OTLP_ENDPOINT`, else this machine's 4318."""
    headers: dict[str, str] = field(default_factory=dict)
    """Headers that go along, as a key of the collector's, best written `${VAR}`; none: `OTEL_EXPORTER_OTLP_HEADERS`."""
    sample: Share = 1.0
    """The share of traces that is sent, of those that no caller began; metrics count all. With 0 there are metrics alone."""
    metrics_seconds: Interval = 60.0
    """How often metrics are sent."""
    timeout_seconds: Wait = 10.0
    """How long one sending may take, with its repeats."""
    content: bool = False
    """Whether prompts are in spans, of tenants alone whose `texts` are `all`."""


def check_telemetry(telemetry: Telemetry, platform: str) -> None:
    """That there is somewhere to send to; raises Misconfigured. Headers are never told: they hold keys."""
    if not telemetry.enabled:
        return
    if platform == "cloudflare":
        raise Misconfigured(
            "telemetry.enabled is for processes, and a Worker is none: leave it out, and have Cloudflare export the"
            " Worker's logs and traces"
        )
    endpoint = telemetry.endpoint
    url = parts_of(endpoint)
    if endpoint and (url is None or url.query or url.fragment or "@" in url.netloc):
        raise Misconfigured(
            "telemetry.endpoint is no http or https address without user and query; write it as"
            " http://collector:4318, and what the collector asks for under telemetry.headers"
        )
    for name, value in telemetry.headers.items():
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise Misconfigured(
                "telemetry.headers has a name or a value that no header can have; write it as"
                ' { "x-api-key" = "${KEY}" }'
            )
