"""How the backends of services stand, for people and for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from penstock.config import Service
from penstock.config.urls import shown
from penstock.gateway.measures import GAUGE, Sample, family
from penstock.upstream.health import Member
from penstock.upstream.pools import Pools

CODES = {"up": 1, "bad": 1, "ejected": 0}
"""Whether requests go there."""


def listed(services: Mapping[str, Service], pools: Pools, now: float) -> list[dict[str, Any]]:
    """Every service with its backends; durations in seconds."""
    return [
        {
            "name": name,
            "prefixes": services[name].prefixes,
            "balance": services[name].balance,
            "backends": [_backend(member, now) for member in pool.members],
        }
        for name, pool in pools.items()
        if name in services
    ]


def metrics(pools: Pools) -> str:
    """Gauges and counters of all backends; of several processes they add up."""
    each = [(_labels(name, member), member) for name, member in _all(pools)]
    requests: list[Sample] = [
        ({**labels, "outcome": outcome}, count)
        for labels, member in each
        for outcome, count in sorted(member.outcomes.items())
    ]
    return (
        family(
            "penstock_backend_serving", "Processes that send requests to this backend.",
            ((labels, CODES[member.state]) for labels, member in each), GAUGE,
        )
        + family(
            "penstock_backend_bad", "Processes that found this backend bad, ejected or not.",
            ((labels, int(member.bad)) for labels, member in each), GAUGE,
        )
        + family(
            "penstock_backend_requests_in_air", "Requests at this backend now.",
            ((labels, member.in_air) for labels, member in each), GAUGE,
        )
        + family(
            "penstock_backend_ejections_total", "Times this backend was ejected.",
            ((labels, member.ejections) for labels, member in each),
        )
        + family("penstock_backend_requests_total", "Attempts at this backend.", requests)
    )  # fmt: skip


def _all(pools: Pools) -> Iterator[tuple[str, Member]]:
    for name, pool in pools.items():
        for member in pool.members:
            yield name, member


def _labels(name: str, member: Member) -> dict[str, object]:
    return {"service": name, "backend": shown(member.url)}


def _backend(member: Member, now: float) -> dict[str, Any]:
    probe = {None: "none yet", True: "well", False: "failed"}[member.well]
    return {
        "url": shown(member.url),
        "weight": member.weight,
        "state": member.state,
        "for": round(max(0.0, now - member.since), 1),
        "probe": probe if member.probed or member.well is not None else "off",
        "failures_in_a_row": member.failures,
        "ejections": member.ejections,
        "in_air": member.in_air,
        "requests": dict(sorted(member.outcomes.items())),
    }
