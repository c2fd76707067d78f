"""One wrk run: load on the other core, and what came back."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.process import LOAD_CORE, BenchFailed

SCRIPT = Path(__file__).parent / "wrk/chat.lua"
PATH = "/v1/chat/completions"
CONNECTIONS = "64"
FIRST_SECONDS = 30


@dataclass(frozen=True)
class Ask:
    """What every contender is asked; its own headers come on top."""

    body: bytes
    headers: Mapping[str, str]
    method: str = "POST"
    path: str = PATH


def ask(*, stream: bool = False, store: bool = False, words: int = 40) -> Ask:
    """A chat completion of about 500 bytes; without `store` no cache may keep or serve it."""
    text = " ".join(f"word{at:02d}" for at in range(words))
    body: dict[str, Any] = {
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": "You answer briefly and to the point."},
            {"role": "user", "content": text},
        ],
        "temperature": 0,
    }
    if stream:
        body["stream"] = True
    headers = {"content-type": "application/json"}
    if not store:
        headers["cache-control"] = "no-store"
    return Ask(json.dumps(body).encode(), headers)


@dataclass(frozen=True)
class Run:
    """What wrk saw."""

    requests: int
    bytes: int
    seconds: float
    p50_us: int
    p99_us: int
    bad_status: int = 0
    broken: int = 0

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def wrk(url: str, what: Ask, headers: Mapping[str, str], seconds: float) -> Run:
    """Loads `url` for so long; raises BenchFailed on any reply but 2xx, or broken connections."""
    run = pressed(url, what, headers, seconds)
    if run.bad_status or run.broken:
        raise BenchFailed(
            f"{url}: {run.requests} replies, {run.bad_status} not 2xx, {run.broken} broken"
        )
    return run


def pressed(
    url: str,
    what: Ask,
    headers: Mapping[str, str],
    seconds: float,
    connections: str = CONNECTIONS,
) -> Run:
    """The same on so many connections, whatever comes back; raises BenchFailed where wrk itself fails."""
    lines = "\n".join(f"{name}: {value}" for name, value in {**what.headers, **headers}.items())
    done = subprocess.run(
        ["taskset", "-c", str(LOAD_CORE), "wrk", "--threads", "1", "--connections", connections,
         "--duration", f"{seconds:g}s", "--timeout", "30s", "--script", str(SCRIPT), url + what.path],
        env={
            **os.environ,
            "BENCH_BODY": what.body.decode(),
            "BENCH_HEADERS": lines,
            "BENCH_METHOD": what.method,
        },
        capture_output=True,
        text=True,
        timeout=seconds + 60,
    )  # fmt: skip
    last = done.stdout.strip().rpartition("\n")[2]
    if done.returncode or not last.startswith("{"):
        raise BenchFailed(f"wrk failed: {(done.stderr or done.stdout).strip()[-200:]}")
    seen: dict[str, Any] = json.loads(last)
    return Run(**seen)


def first(url: str, what: Ask, headers: Mapping[str, str]) -> tuple[dict[str, str], bytes]:
    """One request by itself, to see that the contender answers at all: its headers and body."""
    body = what.body if what.method != "GET" else None
    request = urllib.request.Request(
        url + what.path, body, {**what.headers, **headers}, method=what.method
    )
    try:
        with urllib.request.urlopen(request, timeout=FIRST_SECONDS) as reply:
            return {name.lower(): value for name, value in reply.headers.items()}, reply.read()
    except urllib.error.HTTPError as error:
        raise BenchFailed(f"{url} answered {error.code}: {error.read()[:200]!r}") from error
