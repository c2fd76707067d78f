"""How the deployments of targets stand, for people and for Prometheus: by name, never by address or key."""

from __future__ import annotations

from typing import Any

from penstock.gateway.measures import GAUGE, family
from penstock.upstream.deployments import Deployed, Fleet


def listed(fleet: Fleet, now: float) -> list[dict[str, Any]]:
    """Every target that was asked or has several, with its deployments; durations in seconds."""
    return [
        {
            "target": label,
            "deployments": [_deployment(one, now) for one in found.each],
        }
        for label, found in fleet.items()
    ]


def metrics(fleet: Fleet, now: float) -> str:
    """Gauges and counters of all deployments; of several processes they add up."""
    each = [
        ({"target": label, "deployment": one.name}, one)
        for label, found in fleet.items()
        for one in found.each
    ]
    return (
        family(
            "penstock_deployment_requests_in_air", "Attempts at this deployment now.",
            ((labels, one.member.in_air) for labels, one in each), GAUGE,
        )
        + family(
            "penstock_deployment_cooling", "Processes that leave this deployment alone, as it asked.",
            ((labels, int(one.cool_until > now)) for labels, one in each), GAUGE,
        )
        + family(
            "penstock_deployment_bad", "Processes that found this deployment bad.",
            ((labels, int(one.member.bad)) for labels, one in each), GAUGE,
        )
        + family(
            "penstock_deployment_picks_total", "Attempts at this deployment.",
            ((labels, one.picks) for labels, one in each),
        )
        + family(
            "penstock_deployment_cooled_total", "Times this deployment asked to be left alone.",
            ((labels, one.cooled) for labels, one in each),
        )
    )  # fmt: skip


def _deployment(one: Deployed, now: float) -> dict[str, Any]:
    return {
        "name": one.name,
        "weight": one.member.weight,
        "state": one.member.state,
        "cooling": round(max(0.0, one.cool_until - now), 1),
        "full": round(max(0.0, one.free_at - max(now, one.cool_until)), 1),
        "requests_per_minute": one.requests,
        "tokens_per_minute": one.tokens,
        "used": round(one.share(now), 3),
        "in_air": one.member.in_air,
        "picks": one.picks,
        "failures_in_a_row": one.member.failures,
    }
