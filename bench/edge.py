"""The Worker's own figures, in the Node harness of tests/edge: real Pyodide on Miniflare's KV, D1, R2 and Durable Objects.

CPU is that of the harness's process while the Worker answers, less that of plain JavaScript which repeats the very calls the
Worker made at its bindings and upstream, in the same run. Network time is not measured: everything is on this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

# It runs as a script, from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from load.fake_provider import FakeProvider
from penstock.platforms.memory.world import FakeClock
from penstock.ports import Demand, Lease
from tests.clients.conftest import CONFIG, environment, fake_prices
from tests.clients.process import token
from tests.edge.home import HERE, PACKAGES, ROOT, EdgeHome, port
from tests.edge.worker import Worker

CHAT = "/v1/chat/completions"
OWN = ("health", "cached", "refused", "checked")
"""Whose own time is bounded: what needs no upstream call."""
TAKES = 1_000
LIMITS = (1, 437, 1_000)
Record = dict[str, float]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How many rounds, and requests of a kind in each; one round before them warms up."""

    rounds: int
    requests: int


QUICK, FULL = Plan(5, 40), Plan(9, 200)


def main() -> int:
    """0 done, 1 failed, with one line on standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one flat object, nothing else")
    parser.add_argument("--quick", action="store_true", help="every key within 5 minutes")
    options = parser.parse_args()
    plan = QUICK if options.quick else FULL
    say: Say = (lambda _: None) if options.json else (lambda text: print(text, file=sys.stderr))
    try:
        record = {**bundle(), **requests(plan, say), **asyncio.run(takes(say))}
    except (AssertionError, OSError, RuntimeError, ValueError) as error:
        sys.stderr.write("edge bench: " + " ".join(str(error).split()) + "\n")
        return 1
    rounded = {key: round(value, 3) for key, value in record.items()}
    print(json.dumps(rounded) if options.json else table(rounded))
    return 0


def bundle() -> Record:
    """How large wrangler's build is, python_modules and all, of a configuration without a file."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        modules = Path(folder) / ".penstock/cloudflare/production/python_modules"
        shutil.copytree(PACKAGES, modules, ignore=shutil.ignore_patterns("__pycache__"))
        (modules.parent / "deploy.json").write_text("{}")
        command = [sys.executable, "-m", "penstock", "deploy", "cloudflare", "--dry-run", "--json"]
        path = f"{HERE / 'node_modules' / '.bin'}{os.pathsep}{os.environ['PATH']}"
        env = {"PATH": path, "HOME": folder, "PYTHONPATH": str(ROOT / "src")}
        ran = subprocess.run(
            command, cwd=folder, env=env, capture_output=True, text=True, check=False
        )
    if ran.returncode:
        raise ValueError(ran.stderr or ran.stdout)
    sizes = {one["worker"]: one for one in json.loads(ran.stdout)["workers"]}
    gateway = sizes["gateway"]
    return {
        "bundle_kb": gateway["raw_bytes"] / 1_000,
        "bundle_gzip_kb": gateway["gzip_bytes"] / 1_000,
    }


def requests(plan: Plan, say: Say) -> Record:
    """What a request of each kind costs, the kinds in turns; and how long the Worker's import takes."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        prices = Path(folder) / "prices.json"
        prices.write_text(json.dumps(fake_prices()))
        with FakeProvider("--key", "sk-fake", "--prices", str(prices)) as fake:
            imports = [_import_ms() for _ in range(plan.rounds)]
            with Worker(tomllib.loads(CONFIG), environment(fake), measured=True) as worker:
                rounds = [_round(worker, plan, number, say) for number in range(plan.rounds + 1)]
    kinds = {kind: [one[kind] for one in rounds[1:]] for kind in rounds[0]}
    record = {"import_ms": median(imports)}
    for kind, measured in kinds.items():
        record[f"{kind}_cpu_ms"] = median(one["ours"] - one["replayed"] for one in measured)
        record[f"{kind}_all_cpu_ms"] = median(one["ours"] for one in measured)
        record[f"{kind}_calls"] = median(one["calls"] for one in measured)
        own = sorted(one for each in measured for one in each["own"])
        record[f"{kind}_own_p50_ms"] = median(own)
        record[f"{kind}_own_p99_ms"] = own[len(own) * 99 // 100]
    record["own_p99_ms"] = max(record[f"{kind}_own_p99_ms"] for kind in OWN)
    return record


def _round(worker: Worker, plan: Plan, number: int, say: Say) -> dict[str, Any]:
    say(f"round {number} of {plan.rounds}")
    return {
        kind: _measured(worker, [make(f"{number}.{at}") for at in range(plan.requests)], status)
        for kind, (make, status) in KINDS.items()
    }


def _measured(worker: Worker, asked: list[dict[str, Any]], status: int) -> dict[str, Any]:
    found: dict[str, Any] = worker.ask("measure", requests=asked)
    if found["statuses"] != [status]:
        raise ValueError(f"the Worker answered {found['statuses']}, not {status}")
    return found


def _import_ms() -> float:
    with Worker(migrated=False) as worker:
        return worker.import_ms


def _get(path: str, credential: str = "") -> dict[str, Any]:
    shown = credential or token("bench", tier="enterprise")
    return {"path": path, "method": "GET", "headers": {"authorization": f"Bearer {shown}"}}


def _chat(text: str) -> dict[str, Any]:
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": text}]})
    asked = _get(CHAT)
    headers = {
        **asked["headers"],
        "content-type": "application/json",
        "content-length": str(len(body)),
    }
    return {**asked, "method": "POST", "headers": headers, "body": body}


KINDS: dict[str, tuple[Callable[[str], dict[str, Any]], int]] = {
    "health": (lambda _: _get("/health"), 200),
    "refused": (lambda _: _get("/v1/models", "not.a.token"), 401),
    "checked": (lambda number: _get("/v1/models", token(f"new-{number}-{time.time()}")), 200),
    "cached": (lambda _: _chat("the same each time"), 200),
    "routed": (lambda number: _chat(f"{number} at {time.time()}"), 200),
}
"""How a request of each kind is made, and what it is answered with."""


async def takes(say: Say) -> Record:
    """Concurrent takes at a limit, through the object on workerd."""
    excess = shortfall = 0
    with EdgeHome() as home:
        for limit in LIMITS:
            meter = await port(home, FakeClock(), "meter", False)
            demand = Demand("rate", "bench", "bench:{one}", limit, 3_600)
            took = await asyncio.gather(*(meter.take([demand]) for _ in range(TAKES)))
            admitted = sum(isinstance(one, Lease) for one in took)
            say(f"{admitted} of {TAKES} takes at a limit of {limit}")
            excess = max(excess, admitted - limit)
            shortfall = max(shortfall, limit - admitted)
    return {"meter_excess": excess, "meter_shortfall": shortfall}


def table(record: Record) -> str:
    """Markdown."""
    lines = [
        "| request | CPU ms, its own | all of the harness | calls | own time p50 / p99 ms |",
        "|---|---|---|---|---|",
    ]
    for kind in KINDS:
        own, every, calls, p50, p99 = (
            record[f"{kind}_{name}"]
            for name in ("cpu_ms", "all_cpu_ms", "calls", "own_p50_ms", "own_p99_ms")
        )
        lines.append(f"| {kind} | {own:.1f} | {every:.1f} | {calls:.1f} | {p50:.1f} / {p99:.1f} |")
    figures = ("bundle_kb", "import_ms", "own_p99_ms", "meter_excess", "meter_shortfall")
    lines += ["", "| figure | |", "|---|---|"]
    lines += [f"| {name} | {record[name]:.3g} |" for name in figures]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
