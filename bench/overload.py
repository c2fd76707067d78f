"""Overload: what is still answered in time at five times what the gateway can do, and what memory it takes.

The gateway has one core; the fake provider and the load share the other, so that the load itself costs goodput: each figure
comes with the share of its core that the gateway got.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

# It runs as a script, from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import peers
from bench.load import PATH, Ask, ask, first, pressed
from bench.peers import Contender
from bench.process import GATEWAY_CORE, LOAD_CORE, BenchFailed, Process, busy_seconds
from load.fake_provider import FakeProvider

TRIED = (32, 64, 128)
"""Connections at which the peak is looked for."""
TIMES = 5
LINES = 2_000
"""Connections of the open loop: what cannot be sent on one of them counts as offered and lost."""
CALLERS = 1_000_000
CHUNKS = "5000"
BODY_BYTES = 9_900_000
POURERS, SLOW_READERS = 60, 300
SAMPLE_SECONDS = 0.02
WARM_SECONDS = 1.0
HERE = Path(__file__).parent
Say = Callable[[str], None]
Record = dict[str, float]


@dataclass(frozen=True)
class Plan:
    """How often, how long, and by how many callers."""

    rounds: int
    seconds: float


QUICK, FULL = Plan(3, 3.0), Plan(7, 6.0)


def main() -> int:
    """0 done, 1 failed, with one line on standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one flat object, nothing else")
    parser.add_argument("--quick", action="store_true", help="every key within 5 minutes")
    options = parser.parse_args()
    plan = QUICK if options.quick else FULL
    say: Say = (lambda _: None) if options.json else (lambda text: print(text, file=sys.stderr))
    try:
        record = {**rates(plan, say), **abuse(say), **callers(say)}
    except (BenchFailed, OSError, ValueError, subprocess.SubprocessError) as error:
        sys.stderr.write("overload bench: " + " ".join(str(error).split()) + "\n")
        return 1
    rounded = {key: round(value, 3) for key, value in record.items()}
    print(json.dumps(rounded) if options.json else table(rounded))
    return 0


@contextmanager
def served(*options: str) -> Iterator[Contender]:
    """A gateway on its core, with the fake provider on the other."""
    pinned = ("taskset", "-c", str(LOAD_CORE), sys.executable)
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as home,
        FakeProvider("--key", "sk-fake", "--no-rows", *options, python=pinned) as fake,
    ):
        gateway = peers.penstock(Path(home), fake.url)
        try:
            yield gateway
        finally:
            gateway.process.end()


class Rss:
    """The most memory of a process while the block runs."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.most_mb = process.rss_mb()

    def __enter__(self) -> Rss:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(SAMPLE_SECONDS):
            self.most_mb = max(self.most_mb, self._process.rss_mb())


def rates(plan: Plan, say: Say) -> Record:
    """Goodput at the peak, at five times its connections, and at five times its rate, in turns."""
    rows: list[Record] = []
    with served() as gateway, Rss(gateway.process) as rss:
        first(gateway.url, ask(), gateway.headers)
        pressed(gateway.url, ask(), gateway.headers, WARM_SECONDS)
        for number in range(plan.rounds):
            say(f"round {number + 1} of {plan.rounds}")
            rows.append(_round(gateway, plan))
        most = rss.most_mb
    found = {key: median(row[key] for row in rows) for key in rows[0]}
    found["overload_goodput_share"] = min(
        found["overload_closed_share"], found["overload_open_share"]
    )
    found["overload_rates_rss_mb"] = most
    return found


def _round(gateway: Contender, plan: Plan) -> Record:
    peaks = {str(number): _closed(gateway, str(number), plan) for number in TRIED}
    best = max(peaks, key=lambda number: peaks[number][0])
    peak, peak_core = peaks[best]
    closed, closed_core = _closed(gateway, str(int(best) * TIMES), plan)
    open_, open_core = _open(gateway, peak * TIMES, plan)
    good = open_["good"] / open_["seconds"]
    return {
        "overload_peak_rps": peak,
        "overload_peak_connections": float(best),
        "overload_peak_core": peak_core,
        "overload_closed_rps": closed,
        "overload_closed_core": closed_core,
        "overload_closed_share": closed / peak,
        "overload_open_rps": good,
        "overload_open_core": open_core,
        "overload_open_share": good / peak,
        "overload_open_share_of_core": good / open_core / (peak / peak_core),
        "overload_open_offered_rps": open_["offered"] / open_["seconds"],
        "overload_open_refused_rps": open_["refused"] / open_["seconds"],
        "overload_open_unsent_rps": open_["unsent"] / open_["seconds"],
        "overload_open_late_rps": open_["late"] / open_["seconds"],
        "overload_open_broken": open_["broken"] + open_["other"],
        "overload_open_p50_ms": open_["p50_ms"],
        "overload_open_p99_ms": open_["p99_ms"],
    }


def _closed(gateway: Contender, connections: str, plan: Plan) -> tuple[float, float]:
    """Answers a second, and the share of its core that the gateway had meanwhile."""
    with _core(gateway) as core:
        run = pressed(gateway.url, ask(), gateway.headers, plan.seconds, connections)
    return (run.requests - run.bad_status) / run.seconds, core[0]


def _open(gateway: Contender, rate: float, plan: Plan) -> tuple[dict[str, Any], float]:
    """What became of what was offered, in fates of bench/flood.py."""
    command = ["--rate", f"{rate:.0f}", "--connections", str(LINES), "--seconds", str(plan.seconds)]
    with _core(gateway) as core:
        found: dict[str, Any] = json.loads(_flood(gateway, *command))
    return found, core[0]


@contextmanager
def _core(gateway: Contender) -> Iterator[list[float]]:
    share: list[float] = []
    used, began = gateway.process.cpu_seconds(), time.monotonic()
    yield share
    share.append((gateway.process.cpu_seconds() - used) / (time.monotonic() - began))


def _flood(gateway: Contender, *options: str, what: Ask | None = None) -> str:
    what = what or ask()
    headers = {**what.headers, **gateway.headers, "content-length": str(len(what.body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    message = f"POST {PATH} HTTP/1.1\r\nhost: bench\r\n{lines}\r\n".encode() + what.body
    command = ["taskset", "-c", str(LOAD_CORE), sys.executable, str(HERE / "flood.py")]
    port = gateway.url.rpartition(":")[2]
    done = subprocess.run(
        [*command, port, *options], input=message, capture_output=True, timeout=120
    )
    if done.returncode:
        raise BenchFailed(f"flood failed: {done.stderr.decode().strip()[-200:]}")
    return done.stdout.decode()


def abuse(say: Say) -> Record:
    """Memory while many send 10 MB at once, and while many ask for a long stream and read none of it."""
    with served("--stream-chunks", CHUNKS) as gateway:
        first(gateway.url, ask(), gateway.headers)
        rest = gateway.process.rss_mb()
        say(f"{POURERS} send 10 MB at once")
        with Rss(gateway.process) as pouring:
            pour = ["--pour", str(BODY_BYTES), "--connections", str(POURERS), "--seconds", "8"]
            poured = json.loads(_flood(gateway, "--rate", "1", *pour, what=_picture()))
        say(f"{SLOW_READERS} read none of what they asked for")
        with Rss(gateway.process) as reading:
            slow = ["--slow", "--connections", str(SLOW_READERS), "--seconds", "8"]
            _flood(gateway, "--rate", "1", *slow, what=ask(stream=True))
    return {
        "overload_rest_rss_mb": rest,
        "overload_bodies_rss_mb": pouring.most_mb,
        "overload_bodies_answered": float(poured["good"]),
        "overload_bodies_refused": float(poured["refused"]),
        "overload_slow_readers_rss_mb": reading.most_mb,
        "overload_rss_mb": max(pouring.most_mb, reading.most_mb),
    }


def _picture() -> Ask:
    """A chat with an image, whose data the load makes as long as it is told."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,word00"}}
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": [image]}]}
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    return Ask(json.dumps(body).encode(), headers)


def callers(say: Say) -> Record:
    """Memory of a whole gateway after a million callers have each asked once: in a process of its own, without sockets."""
    say(f"{CALLERS:,} callers, one after another")
    before = busy_seconds(GATEWAY_CORE)
    done = subprocess.run(
        ["taskset", "-c", str(GATEWAY_CORE), sys.executable, str(HERE / "callers.py"), str(CALLERS)],
        capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    if done.returncode:
        raise BenchFailed(f"callers failed: {done.stderr.strip()[-200:]}")
    found: Record = json.loads(done.stdout)
    say(f"it took {busy_seconds(GATEWAY_CORE) - before:.0f} s of its core")
    return found


def table(record: Record) -> str:
    """Markdown for people."""
    lines = ["| figure | |", "|---|---|"]
    return "\n".join([*lines, *[f"| {key} | {value:,.4g} |" for key, value in record.items()]])


if __name__ == "__main__":
    sys.exit(main())
