"""Rates by endpoint and tier: what is counted, what a refused caller is told."""

from __future__ import annotations

import pytest

from penstock.auth.caller import Caller
from penstock.config import decode, defaults
from penstock.errors import RateLimited, Unauthorized
from penstock.limits import headers
from penstock.limits.rates import Rates, tightest, whole_seconds
from penstock.platforms import memory
from penstock.platforms.memory import MemoryPlatform
from penstock.ports import Standing


def world(text: str = "") -> tuple[Rates, MemoryPlatform]:
    platform = memory.platform()
    config, _ = defaults(decode(text, {}), {})
    return Rates(config, platform.meter), platform


FREE = Caller(sub="u", credential="c")
PRO = Caller(sub="p", tier="pro")


async def test_the_hundred_and_first_chat_of_a_free_caller_is_refused() -> None:
    rates, _ = world()
    for left in reversed(range(100)):
        lease = await rates.admit(FREE, "chat")
        assert tightest(lease.standings).remaining == left  # type: ignore[union-attr]  # a metered path has standings
    with pytest.raises(RateLimited) as refused:
        await rates.admit(FREE, "chat")
    assert refused.value.text == "Rate limit exceeded"
    assert refused.value.extra["body"] == {"retryAfter": 3600, "limit": 100, "window": 3600}
    assert ("retry-after", "3600") in refused.value.headers


async def test_where_the_tier_alone_refuses_its_text_speaks_and_a_free_caller_is_told_of_the_upgrade() -> (
    None
):
    rates, _ = world()
    for _ in range(60):
        await rates.admit(FREE, "embed")
    for _ in range(40):
        await rates.admit(FREE, "chat")
    with pytest.raises(RateLimited) as refused:
        await rates.admit(FREE, "chat")
    assert refused.value.text == "Daily quota exceeded"
    assert refused.value.extra["body"]["upgrade"] == "Upgrade to Pro for 10x more requests"


async def test_a_longer_wait_of_the_tier_speaks() -> None:
    rates, platform = world("[limits]\nchat = '1/min'\n[tiers.free]\nrequests_per_hour = 1\n")
    await rates.admit(FREE, "chat")
    platform.clock.advance(1)
    with pytest.raises(RateLimited) as refused:
        await rates.admit(FREE, "chat")
    assert refused.value.text == "Daily quota exceeded"
    assert refused.value.extra["body"]["retryAfter"] == 3599


async def test_a_refusal_counts_nothing() -> None:
    rates, platform = world("[limits]\nchat = '1/h'\n")
    await rates.admit(FREE, "chat")
    for _ in range(5):
        with pytest.raises(RateLimited):
            await rates.admit(FREE, "chat")
    lease = await rates.admit(FREE, "embed")
    assert [standing.remaining for standing in lease.standings if standing.policy == "tier"] == [98]
    platform.clock.advance(3600)
    await rates.admit(FREE, "chat")


async def test_chat_scales_with_the_tier() -> None:
    rates, _ = world()
    lease = await rates.admit(PRO, "chat")
    assert {standing.policy: standing.limit for standing in lease.standings} == {
        "chat": 1_000,
        "tier": 1_000,
    }


async def test_an_unknown_tier_is_the_free_one() -> None:
    rates, _ = world()
    lease = await rates.admit(Caller(sub="x", tier="platinum"), "chat")
    assert lease.standings[0].limit == 100


async def test_what_is_not_metered_is_not_counted_but_a_revoked_credential_is_refused() -> None:
    rates, platform = world()
    lease = await rates.admit(FREE, None)
    assert lease.standings == ()
    await platform.meter.mark("c", platform.clock.now() + 60)
    with pytest.raises(Unauthorized) as refused:
        await rates.admit(FREE, None)
    assert refused.value.code == "credential_revoked"


def test_headers_of_all_three_forms() -> None:
    standings = (Standing("chat", 100, 40, 600.5, 3600), Standing("tier", 1000, 39, 3599.2, 3600))
    found = dict(headers.common(standings))
    assert found["x-ratelimit-limit-requests"] == "1000"
    assert found["x-ratelimit-remaining-requests"] == "39"
    assert found["x-ratelimit-reset-requests"] == "1h0m0s"
    assert found["ratelimit-policy"] == '"chat";q=100;w=3600, "tier";q=1000;w=3600'
    assert found["ratelimit"] == '"chat";r=40;t=601, "tier";r=39;t=3600'
    first = dict(headers.first_design(standings, 1_000.0))
    assert first == {
        "x-ratelimit-limit": "1000",
        "x-ratelimit-remaining": "39",
        "x-ratelimit-reset": "4599200",
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0ms"),
        (0.12, "120ms"),
        (1.0, "1s"),
        (59.1, "1m0s"),
        (360.0, "6m0s"),
        (3723.0, "1h2m3s"),
    ],
)
def test_durations_in_openais_form(seconds: float, text: str) -> None:
    assert headers.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "whole"), [(0.0, 1), (0.1, 1), (1.0, 1), (1.01, 2), (3600.0, 3600)]
)
def test_whoever_waits_whole_seconds_is_let_in(seconds: float, whole: int) -> None:
    assert whole_seconds(seconds) == whole
