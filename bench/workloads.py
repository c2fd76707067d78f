"""The four workloads of the gateway bench; each adds its keys to one flat record."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from bench import peers
from bench.load import Ask, ask, first
from bench.measure import Figures, Plan, ceiling, interleaved
from bench.peers import Contender
from bench.process import LOAD_CORE, BenchFailed
from bench.rows import final_rows
from load.fake_provider import FakeProvider

CHUNKS = 100
"""Content chunks of a stream; the role and the end come on top."""
PACED = "100"
"""Events a second of each paced stream."""
PACED_SECONDS = 4.0
"""Longer a round, for a paced stream takes more than one by itself."""
SOURCE = {"authorization": "Bearer sk-fake"}
CLIENTS = ("aiohttp", "pyreqwest", "httpx")
"""Upstream clients behind the bare pass-through."""
STARTS = 5
IDLE_SECONDS = 2.0
Say = Callable[[str], None]
Record = dict[str, float]


class Bench:
    """The contenders of one run, started once; `close` ends them all."""

    def __init__(self, plan: Plan, say: Say) -> None:
        self.plan, self.say = plan, say
        self.stack = ExitStack()
        self.home = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        self.record: Record = {}
        self.nginx: list[Contender] = []

    def close(self) -> None:
        self.stack.close()

    def keep(self, contender: Contender) -> Contender:
        """Asleep until it is measured, and ended with the run."""
        self.say(f"{contender.name} started in {contender.start_seconds:.1f} s")
        self.stack.callback(contender.process.end)
        contender.process.sleep()
        return contender

    def fake(self, *options: str) -> FakeProvider:
        """A fake provider on the load's core that only counts."""
        pinned = ("taskset", "-c", str(LOAD_CORE), sys.executable)
        made = FakeProvider("--key", "sk-fake", "--no-rows", *options, python=pinned)
        return self.stack.enter_context(made)


@contextmanager
def opened(plan: Plan, say: Say) -> Iterator[Bench]:
    bench = Bench(plan, say)
    try:
        yield bench
    finally:
        bench.close()


def start_and_rest(bench: Bench) -> None:
    """W4: from the command to the first 200 of /readyz, and memory once it rests."""
    fake = bench.fake()
    seconds = []
    for number in range(STARTS):
        made = peers.penstock(bench.home, fake.url, f"start-{number}")
        seconds.append(made.start_seconds)
        if number == STARTS - 1:
            time.sleep(IDLE_SECONDS)
            bench.record["idle_rss_mb"] = made.process.rss_mb()
        made.process.end()
    bench.record["start_seconds"] = median(seconds)


def pass_through(bench: Bench) -> None:
    """W1: chat at concurrency 64, nothing cached, auth, limits and ledger on."""
    fake = bench.fake()
    static = peers.nginx(bench.home, "static", None)
    bench.stack.callback(static.process.end)
    own = (
        bench.fake()
    )  # the same program by itself, so that its meter counts Penstock's calls alone
    ours = bench.keep(peers.penstock(bench.home, own.url))
    others = [
        bench.keep(peers.litellm(bench.home, fake.url, cache=False)),
        bench.keep(peers.portkey(bench.home, fake.url)),
    ]
    bench.nginx = [
        bench.keep(peers.nginx(bench.home, "nginx", fake.url)),
        bench.keep(peers.nginx(bench.home, "nginx-static", static.url)),
    ]
    bare = [bench.keep(peers.bare(bench.home, fake.url, client)) for client in CLIENTS]
    bench.record["w1_source_rps"] = ceiling(fake.url, ask(), SOURCE)
    bench.record["w1_static_rps"] = ceiling(static.url, ask(), SOURCE)
    for peer in others:
        bench.record[f"{peer.name}_start_seconds"] = peer.start_seconds
        bench.record[f"{peer.name}_idle_rss_mb"] = peer.process.rss_mb()
    rates = interleaved([ours, *others, *bench.nginx, *bare], ask(), bench.plan, bench.say)
    _keep_rates(bench.record, "w1", rates)
    ledger_share(bench, ours, rates["penstock"].requests, own)
    rate = rates["penstock"].rate
    bench.record["w1_vs_nginx"] = rate / _nginx(rates)
    for name in ("litellm", "portkey"):
        bench.record[f"w1_vs_{name}"] = rate / rates[name].rate


def _nginx(rates: dict[str, Figures]) -> float:
    """nginx at its best: before the fake provider it waits for the source more than for itself."""
    return max(rates["nginx"].rate, rates["nginx-static"].rate)


def _keep_rates(record: Record, prefix: str, rates: dict[str, Figures]) -> None:
    for name, figures in rates.items():
        key = f"{prefix}_{name.replace('-', '_')}"
        record[f"{key}_rps"] = figures.rate
        record[f"{key}_cpu_us"] = figures.cpu_us
        record[f"{key}_p99_ms"] = figures.p99_ms
    record[f"{prefix}_others_share"] = max(figures.others_share for figures in rates.values())


def ledger_share(bench: Bench, ours: Contender, answered: int, own: FakeProvider) -> None:
    """Final rows to requests. wrk drops up to 64 calls a run unread, which have their rows too; so the
    requests are those the source saw, or a lost row could hide behind a dropped call."""
    with ours.awake():
        rows = final_rows(bench.home / "penstock")
    calls = own.meter()["calls"]
    bench.record["w1_final_rows"] = rows
    bench.record["w1_answered"] = answered
    bench.record["w1_source_calls"] = calls
    bench.record["w1_final_rows_share"] = rows / max(calls, answered)


def cache_hit(bench: Bench) -> None:
    """W2: the same question again; nginx, which does not keep it, shows the limit."""
    fake = bench.fake()
    ours = bench.keep(peers.penstock(bench.home, fake.url, "penstock-cache"))
    theirs = bench.keep(peers.litellm(bench.home, fake.url, cache=True))
    question = ask(store=True)
    rates = interleaved([ours, theirs, *bench.nginx], question, bench.plan, bench.say)
    _seen_to_hit(ours, question)
    _keep_rates(bench.record, "w2", rates)
    rate = rates["penstock-cache"].rate
    bench.record["w2_vs_nginx"] = rate / _nginx(rates)
    bench.record["w2_vs_litellm"] = rate / rates["litellm-cache"].rate


def _seen_to_hit(ours: Contender, question: Ask) -> None:
    with ours.awake():
        headers, _ = first(ours.url, question, ours.headers)
    if headers.get("x-penstock-cache") != "hit":
        raise BenchFailed("W2 did not hit the cache")


def streams(bench: Bench, *, paced: bool = False) -> None:
    """W3: 100-chunk streams, each chunk a write of its own; flat out, or paced as a model would."""
    options = ["--stream-chunks", str(CHUNKS), *(["--chunks-per-second", PACED] if paced else [])]
    fake = bench.fake(*options)
    prefix = "w3_paced" if paced else "w3"
    home = bench.home / prefix
    home.mkdir()
    contenders = [
        bench.keep(peers.penstock(home, fake.url, "penstock")),
        bench.keep(peers.bare(home, fake.url, "aiohttp")),
        bench.keep(peers.nginx(home, "nginx", fake.url)),
    ]
    question = ask(stream=True)
    source = ceiling(fake.url, question, SOURCE) * CHUNKS
    bench.record[f"{prefix}_source_chunks_per_s"] = source
    more = PACED_SECONDS if paced else 0.0
    plan = Plan(bench.plan.rounds, bench.plan.seconds + more)
    found = interleaved(contenders, question, plan, bench.say)
    bench.record[f"{prefix}_others_share"] = max(f.others_share for f in found.values())
    cost = {}
    for contender in contenders:
        figures, name = found[contender.name], contender.name.replace("-", "_")
        size = _bytes_per_chunk(contender, question)
        cost[contender.name] = figures.cpu_us_per_chunk(size)
        bench.record[f"{prefix}_{name}_us_per_chunk"] = cost[contender.name]
        bench.record[f"{prefix}_{name}_chunks_per_s"] = figures.rate * CHUNKS
    bench.record[f"{prefix}_vs_nginx"] = cost["nginx"] / cost["penstock"]
    bench.record[f"{prefix}_cpu_vs_aiohttp"] = cost["penstock"] / cost["bare-aiohttp"]


def _bytes_per_chunk(contender: Contender, question: Ask) -> float:
    """Of one whole stream as this contender sends it, headers left out."""
    with contender.awake():
        _, body = first(contender.url, question, contender.headers)
    return len(body) / CHUNKS
