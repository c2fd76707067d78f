"""5,000 calls at once over four worker processes at limit N: exactly N are admitted, run after run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from bench.crowd import call, crowd
from bench.process import BenchFailed
from bench.replicas import Gateway, Stores, token

RUNS = 20
CALLS = 5_000
LIMIT = 1_000
WORKERS = 4
TIER = f"\n[tiers.scarce]\nrequests_per_hour = {LIMIT}\nscale = 100000\n"
SANDBOX = '[providers.sandbox]\nkind = "sandbox"\n' + TIER
REFUSED = {429, 503}

Say = Callable[[str], None]


def measured(home: Path, stores: Stores, say: Say) -> dict[str, float]:
    gateway = Gateway(home / "admissions", stores.fresh(), SANDBOX, workers=WORKERS)
    excess = shortfall = 0
    try:
        for run in range(RUNS):
            admitted = _admitted(gateway, run)
            say(f"admissions, run {run + 1} of {RUNS}: {admitted} of {LIMIT}")
            excess += max(0, admitted - LIMIT)
            shortfall += max(0, LIMIT - admitted)
    finally:
        gateway.process.end()
    return {
        "admitted_excess": excess,
        "admitted_shortfall": shortfall,
        "admitted_runs": RUNS,
    }


def _admitted(gateway: Gateway, run: int) -> int:
    body = {"model": "sandbox/gpt-4o-mini", "max_tokens": 1}
    body["messages"] = [{"role": "user", "content": "hi"}]
    one = call(gateway.port, token(f"crowd-{run}", "scarce"), json.dumps(body).encode())
    found = crowd([one] * CALLS)
    if found.keys() - REFUSED - {200}:
        raise BenchFailed(f"replies were not 200, 429 or 503 alone: {dict(found)}")
    return found[200]
