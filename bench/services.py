"""Services: a proxied GET beside nginx's `proxy_pass`, a cached one beside its `proxy_cache`, and one of three backends
killed under load."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

# It runs as a script, from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import peers
from bench.load import Ask, Run, pressed
from bench.measure import Figures, Plan, ceiling, interleaved
from bench.peers import Contender
from bench.process import BenchFailed, family

QUICK = Plan(rounds=3, seconds=2.0)
FULL = Plan(rounds=7, seconds=5.0)
GET = Ask(b"", {"accept": "application/json"}, "GET", "/api/orders/7")
CONFIG = """
data = "{home}/data"
[services.orders]
prefixes = ["/api/orders"]
limit = "1000000000/h"
backends = [{source}]
{more}
[tiers.enterprise]
requests_per_hour = 1000000000
scale = 10000000
"""
SERVED = 10.0
"""Seconds of load around a kill, and at most as many thrice until the backend has requests again."""
LOOK_SECONDS = 0.05
GIVE_UP_SECONDS = 40.0
Say = Callable[[str], None]
Record = dict[str, float]


def main() -> int:
    """0 done, 1 failed, with one line on standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one flat object, nothing else")
    parser.add_argument("--quick", action="store_true", help="every key within 3 minutes")
    options = parser.parse_args()
    say: Say = (lambda _: None) if options.json else (lambda text: print(text, file=sys.stderr))
    try:
        with workplace() as (home, stack):
            plan = QUICK if options.quick else FULL
            record = gets(home, stack, plan, say)
            record |= hits(home, stack, plan, say)
            record |= failover(home, stack, say)
    except (BenchFailed, OSError, ValueError, subprocess.SubprocessError) as error:
        sys.stderr.write("services bench: " + " ".join(str(error).split()) + "\n")
        return 1
    rounded = {key: round(value, 4) for key, value in record.items()}
    print(json.dumps(rounded) if options.json else table(rounded))
    return 0


@contextmanager
def workplace() -> Iterator[tuple[Path, ExitStack]]:
    """A folder, and a stack that ends all that was started."""
    with tempfile.TemporaryDirectory(prefix="bench-") as home, ExitStack() as stack:
        yield Path(home), stack


def gets(home: Path, stack: ExitStack, plan: Plan, say: Say) -> Record:
    """The same GET through each, from one static source; the caller shows a token to Penstock."""
    source = peers.nginx(home, "source", None)
    stack.callback(source.process.end)
    ours = kept(stack, gateway(home, "penstock", [source.url]))
    theirs = kept(stack, peers.nginx(home, "nginx", source.url))
    record = {"source_rps": ceiling(source.url, GET, {})}
    found = interleaved([ours, theirs], GET, plan, say)
    return record | told("get", found["penstock"], found["nginx"])


def hits(home: Path, stack: ExitStack, plan: Plan, say: Say) -> Record:
    """The same GET, which each of the two keeps and never asks its source for again."""
    source = peers.nginx(home, "kept-source", None)
    stack.callback(source.process.end)
    ours = gateway(home, "kept-penstock", [source.url], "cache = {{ ttl = 3600 }}")
    theirs = peers.nginx(home, "kept-nginx", source.url, keeps=True)
    for one in (ours, theirs):
        warm(one)
        kept(stack, one)
    found = interleaved([ours, theirs], GET, plan, say)
    return told("cached", found["kept-penstock"], found["kept-nginx"])


def told(what: str, ours: Figures, theirs: Figures) -> Record:
    """Both sides' figures under their names, and how they compare."""
    record: Record = {}
    for name, figures in (("penstock", ours), ("nginx", theirs)):
        record[f"{what}_{name}_rps"] = figures.rate
        record[f"{what}_{name}_cpu_us"] = figures.cpu_us
        record[f"{what}_{name}_p99_ms"] = figures.p99_ms
    record[f"{what}_others_share"] = max(ours.others_share, theirs.others_share)
    return record | {f"{what}_vs_nginx": ours.rate / theirs.rate}


def warm(contender: Contender) -> None:
    """Has it keep the reply, and makes sure that it did."""
    url, headers = f"{contender.url}{GET.path}", {**GET.headers, **contender.headers}
    for _ in range(2):
        with urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=30
        ) as got:
            found = got.headers.get("x-cache")
    if found != "HIT":
        raise BenchFailed(f"{contender.name} does not keep the reply")


def failover(home: Path, stack: ExitStack, say: Say) -> Record:
    """Three backends under full load: one is killed, and later started again at the same port."""
    backends = [peers.nginx(home, f"backend-{at}", None) for at in range(3)]
    for backend in backends:
        stack.callback(backend.process.end)
    ours = gateway(home, "failover", [backend.url for backend in backends])
    stack.callback(ours.process.end)
    killed = backends[0]
    admin = peers.token(home / "failover/penstock.toml", "--scope", "admin")
    seen = partial(stands, ours, admin, killed)
    say("one of three backends is killed under load")
    with loaded(ours, SERVED) as runs:
        time.sleep(1.0)
        kill(killed)
        ejected = since(lambda: seen()["state"] == "ejected")
    say("it is started again")
    with loaded(ours, 3 * SERVED) as again:
        before = answered(seen())
        port = int(killed.url.rpartition(":")[2])
        stack.callback(peers.nginx(home, "backend-again", None, port).process.end)
        recovered = since(lambda: answered(seen()) > before)
    run = runs[0]
    return {
        "failover_requests": run.requests,
        "failover_error_share": (run.bad_status + run.broken) / run.requests,
        "recovery_error_share": (again[0].bad_status + again[0].broken) / again[0].requests,
        "ejected_seconds": ejected,
        "recovered_seconds": recovered,
    }


def gateway(home: Path, name: str, backends: list[str], more: str = "") -> Contender:
    listed = ", ".join(f'{{{{ url = "{url}", health = "/" }}}}' for url in backends)
    return peers.penstock(
        home, "", name, CONFIG.replace("{source}", listed).replace("{more}", more)
    )


def kept(stack: ExitStack, contender: Contender) -> Contender:
    """Asleep until it is measured, and ended with the run."""
    stack.callback(contender.process.end)
    contender.process.sleep()
    return contender


@contextmanager
def loaded(ours: Contender, seconds: float) -> Iterator[list[Run]]:
    """Load for so long, while the block runs; the list has the run after it."""
    runs: list[Run] = []
    thread = threading.Thread(
        target=lambda: runs.append(pressed(ours.url, GET, ours.headers, seconds))
    )
    thread.start()
    try:
        yield runs
    finally:
        thread.join()
    if not runs or not runs[0].requests:
        raise BenchFailed("nothing was answered while a backend failed")


def kill(backend: Contender) -> None:
    """Ends it as the out-of-memory killer would."""
    for pid in family(backend.process.pid):
        os.kill(pid, signal.SIGKILL)


def since(true: Callable[[], bool]) -> float:
    """Seconds until it is so."""
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > GIVE_UP_SECONDS:
            raise BenchFailed("a backend's state did not change in time")
        time.sleep(LOOK_SECONDS)
    return time.monotonic() - began


def stands(ours: Contender, admin: str, backend: Contender) -> dict[str, Any]:
    """How a backend stands, as the gateway tells an operator."""
    headers = {"authorization": f"Bearer {admin}"}
    request = urllib.request.Request(f"{ours.url}/admin/services", headers=headers)
    with urllib.request.urlopen(request, timeout=30) as reply:
        listed = json.load(reply)["services"][0]["backends"]
    found: dict[str, Any] = next(one for one in listed if one["url"] == backend.url)
    return found


def answered(backend: dict[str, Any]) -> int:
    count: int = backend["requests"].get("2xx", 0)
    return count


def table(record: Record) -> str:
    """Markdown for people."""
    lines = [
        "A proxied GET at concurrency 64, and one that is kept",
        "",
        "| | requests/s | CPU µs | p99 ms |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {what}, {name} | {record[f'{what}_{name}_rps']:,.0f} | {record[f'{what}_{name}_cpu_us']:,.0f}"
        f" | {record[f'{what}_{name}_p99_ms']:,.1f} |"
        for what in ("get", "cached")
        for name in ("penstock", "nginx")
    ]
    lines += [
        f"| the source alone | {record['source_rps']:,.0f} | | |",
        "",
        "| figure | |",
        "|---|---|",
    ]
    names = (
        "get_vs_nginx",
        "cached_vs_nginx",
        "failover_error_share",
        "ejected_seconds",
        "recovered_seconds",
    )
    return "\n".join(lines + [f"| {name} | {record[name]:.3g} |" for name in names])


if __name__ == "__main__":
    sys.exit(main())
