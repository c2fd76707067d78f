"""`[telemetry]`: what is taken, and what is refused without telling a key."""

from __future__ import annotations

import pytest

from penstock.config import decode
from penstock.config.check import check_values
from penstock.entry import home
from penstock.entry.cli.probes import telemetry
from penstock.entry.reload import lasting
from penstock.errors import Misconfigured, Missing

ON = "[telemetry]\nenabled = true\n"


@pytest.mark.parametrize(
    "more",
    [
        "", 'endpoint = "http://collector:4318"', 'endpoint = "https://host/otlp/"', "sample = 0",
        'headers = { "x-api-key" = "a b" }',
    ],
)  # fmt: skip
def test_is_taken(more: str) -> None:
    check_values(decode(ON + more, {}))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('endpoint = "collector:4318"', "telemetry.endpoint"),
        ('endpoint = "http://u:hush@collector:4318"', "telemetry.endpoint"),
        ('endpoint = "http://collector:4318?key=hush"', "telemetry.endpoint"),
        ('headers = { "x key" = "hush" }', "telemetry.headers"),
        ('headers = { "x-key" = "hush\\r\\nx: y" }', "telemetry.headers"),
        ('headers = { "x-key" = "" }', "telemetry.headers"),
        ("sample = 1.5", "telemetry.sample"),
        ("metrics_seconds = 0", "telemetry.metrics_seconds"),
        ("sampel = 1", "telemetry"),
    ],
)
def test_is_refused(more: str, said: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        check_values(decode(ON + more, {}))
    assert said in refused.value.message
    assert "hush" not in refused.value.message


def test_a_worker_has_none() -> None:
    with pytest.raises(Misconfigured, match=r"telemetry\.enabled"):
        check_values(decode('platform = "cloudflare"\n' + ON, {}))


def test_a_reload_leaves_it_as_it_is() -> None:
    now, wanted = decode(ON, {}), decode(ON + "sample = 0.5", {})
    kept, names = lasting(now, wanted)
    assert kept.telemetry == now.telemetry
    assert names == ["telemetry"]


def test_what_sends_must_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    config = decode(ON, {})
    assert [found.good for found in telemetry(config)] == [True]
    assert telemetry(decode("", {})) == []
    monkeypatch.setattr(home, "SENDERS", ("opentelemetry.sdk", "not_there.at_all"))
    with pytest.raises(Missing, match=r"penstock\[telemetry\]"):
        home.telemetry(config)
    [finding] = telemetry(config)
    assert (finding.good, finding.found) == (False, "not_there.at_all not installed")


async def test_the_sdks_own_switch_turns_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    async with home.telemetry(decode(ON, {})) as traces:
        assert traces is None
