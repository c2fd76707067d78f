"""Reports: over HTTP on ledgers of a million and ten million rows, and what the roll-ups cost a request in W1."""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from math import exp, log, sqrt
from pathlib import Path
from statistics import mean, median, stdev

# It runs as a script, from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import passes, peers, screen
from bench.load import ask, wrk
from bench.measure import settle
from bench.peers import Contender
from bench.process import LOAD_CORE, BenchFailed
from bench.reports_ledgers import build
from load.fake_provider import FakeProvider
from penstock.gateway import upkeep
from penstock.ledger import rollups
from penstock.platforms.embedded import TABLES_FILE
from penstock.platforms.embedded.tables import EmbeddedTables
from penstock.platforms.migrations import shipped
from penstock.platforms.world import RealClock

MILLION, TEN_MILLION = 1_000_000, 10_000_000
TRIES = 9
QUICK_SECONDS, FULL_SECONDS = 60.0, 240.0
"""Of W1, in turns with roll-ups and without."""
LEAST_REQUESTS, LEAST_PAIRS = 200, 20
"""A turn with fewer had no load on it; of fewer pairs the error is larger than what is looked for."""
OVERVIEW = "/admin/reports/overview"
SERIES = "/admin/reports/series?by=day&of=model"
TOP = "/admin/reports/top?of=user"
ROWS = (
    ("overview_ms_1e6", "the overview of 31 days on 10⁶ ledger rows, over HTTP, median of 9", "< 300"),
    ("overview_on_screen_ms", "until a browser shows its figures, on 10⁶ rows, a first visit, median of 9", "< 300"),
    ("overview_on_screen_again_ms", "the same where the browser has the scripts", ""),
    ("ui_kb_gzip", "all that a browser can load of the dashboard, compressed", "≤ 150"),
    ("overview_cpu_ms_1e6", "the gateway's CPU for it", ""),
    ("report_ms_1e7", "31 days by model with percentiles on 10⁷ rows, the same way", "< 200"),
    ("report_cpu_ms_1e7", "the gateway's CPU for it", ""),
    ("overview_ms_1e7", "the overview on 10⁷ rows", ""),
    ("overview_cpu_ms_1e7", "the gateway's CPU for it", ""),
    ("top_users_ms_1e7", "the ten of 2,000 users who spent most, on 10⁷ rows", ""),
    ("top_users_cpu_ms_1e7", "the gateway's CPU for it", ""),
    ("rollup_us", "CPU µs to sum a request of many users (bulk, 10⁷ rows)", ""),
    ("w1_with_rollups_rps", "W1 while every pass sums, one each half second, requests/s", ""),
    ("w1_without_rollups_rps", "W1 while they do not", ""),
    ("w1_with_vs_without", "the one ÷ the other, mean of neighbouring half seconds of one gateway", "≥ 0.97"),
    ("w1_with_vs_without_error", "its standard error: the machine changes by more from second to second", ""),
    ("w1_rollup_us", "CPU µs to sum a request of W1, in the upkeep's own pieces", ""),
    ("w1_rollups_cost_share", "that ÷ W1's CPU µs a request", "≤ 0.03"),
)  # fmt: skip
Record = dict[str, float]
Say = Callable[[str], None]


def main() -> int:
    """0 done, 1 failed, with one line on standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one flat object, nothing else")
    parser.add_argument("--quick", action="store_true", help="every key within 10 minutes")
    options = parser.parse_args()

    def say(text: str) -> None:
        if not options.json:
            sys.stderr.write(text + "\n")

    try:
        record = measured(QUICK_SECONDS if options.quick else FULL_SECONDS, say)
    except (BenchFailed, OSError, ValueError, subprocess.SubprocessError) as error:
        sys.stderr.write("reports bench: " + " ".join(str(error).split())[:500] + "\n")
        return 1
    rounded = {key: round(value, 4) for key, value in record.items()}
    print(json.dumps(rounded) if options.json else _table(rounded))
    return 0


def measured(seconds: float, say: Say) -> Record:
    record: Record = {}
    with tempfile.TemporaryDirectory(prefix="reports-") as folder:
        home = Path(folder)
        pinned = ("taskset", "-c", str(LOAD_CORE), sys.executable)
        with FakeProvider("--key", "sk-fake", "--no-rows", python=pinned) as fake:
            record |= _in_turns(home, fake.url, seconds, say)
            record |= _asked(home, fake.url, MILLION, "1e6", {"overview": OVERVIEW}, say)
            questions = {"overview": OVERVIEW, "report": SERIES, "top_users": TOP}
            record |= _asked(home, fake.url, TEN_MILLION, "1e7", questions, say)
    return record


def _asked(
    home: Path, source: str, rows: int, name: str, questions: dict[str, str], say: Say
) -> Record:
    """Milliseconds from the question to the whole answer, and the gateway's CPU, medians."""
    found: Record = {}
    home = home / f"ledger-{name}"
    home.mkdir()
    peers.penstock(home, source).process.end()
    [path] = home.rglob(TABLES_FILE)
    for file in path.parent.glob(f"{TABLES_FILE}*"):
        file.unlink()
    begun = time.monotonic()
    requests, cost = build(path, rows, int(time.time() * 1000))
    say(f"{rows:,} rows of {requests:,} requests in {time.monotonic() - begun:.0f} s")
    if rows == TEN_MILLION:
        found["rollup_us"] = cost
    serving = peers.restarted(home, [str(peers.BIN / "penstock")])
    try:
        credential = peers.token(home / "penstock/penstock.toml", "--scope", "admin")
        settle(serving.process)  # the reconciler's first pass reads the whole ledger
        for what, question in questions.items():
            took = [_once(serving, question, credential) for _ in range(TRIES)]
            found[f"{what}_ms_{name}"] = median(one[0] for one in took)
            found[f"{what}_cpu_ms_{name}"] = median(one[1] for one in took)
            say(f"{what} on {name}: {found[f'{what}_ms_{name}']:.1f} ms")
        if rows == MILLION:
            found |= screen.figures(serving.url, credential)
            say(f"on screen after {found['overview_on_screen_ms']:.0f} ms")
    finally:
        serving.process.end()
    for file in path.parent.glob(f"{TABLES_FILE}*"):
        file.unlink()
    return found


def _once(serving: Contender, question: str, credential: str) -> tuple[float, float]:
    head = {"authorization": f"Bearer {credential}"}
    request = urllib.request.Request(serving.url + question, headers=head)
    cpu, begun = serving.process.cpu_seconds(), time.perf_counter()
    with urllib.request.urlopen(request) as reply:
        body = json.loads(reply.read())
    spent = time.perf_counter() - begun
    told = body.get("totals") or body["rows"][0]
    if not told["requests"]:
        raise BenchFailed(f"{question} tells of no requests")
    return spent * 1e3, (serving.process.cpu_seconds() - cpu) * 1e3


def _in_turns(home: Path, source: str, seconds: float, say: Say) -> Record:
    """W1 of a gateway that in turn sums its rows and does not: pairs of turns, half a second each."""
    own, turns = home / "turns", home / "turns.jsonl"
    own.mkdir()
    peers.penstock(own, source).process.end()
    serving = peers.restarted(own, [sys.executable, passes.__file__, str(turns)])
    try:
        wrk(serving.url, ask(), serving.headers, seconds)
    finally:
        serving.process.end()
    pairs = passes.pairs(turns, LEAST_REQUESTS)
    logs = [log(summed.rate / skipped.rate) for summed, skipped in pairs]
    if len(logs) < LEAST_PAIRS:
        raise BenchFailed(f"{len(logs)} pairs of turns are too few to tell")
    summed, skipped = (passes.together(some) for some in zip(*pairs, strict=True))
    say(f"CPU µs a request: {summed.cpu_us:.1f} with roll-ups, {skipped.cpu_us:.1f} without")
    [path] = own.rglob(TABLES_FILE)
    cost = asyncio.run(_summed(path))
    say(f"CPU µs to sum a request of W1: {cost:.1f}")
    return {
        "w1_with_rollups_rps": summed.rate,
        "w1_without_rollups_rps": skipped.rate,
        "w1_with_vs_without": exp(mean(logs)),
        "w1_with_vs_without_error": stdev(logs) / sqrt(len(logs)),
        "w1_with_rollups_cpu_us": summed.cpu_us,
        "w1_without_rollups_cpu_us": skipped.cpu_us,
        "w1_rollup_us": cost,
        "w1_rollups_cost_share": cost / skipped.cpu_us,
    }


async def _summed(path: Path) -> float:
    """CPU µs a request to sum all that W1 left, in the upkeep's own pieces: no other's load is in it."""
    tables = EmbeddedTables(path, shipped(), time.time())
    try:
        await rollups.rebuild(tables)
        cpu = time.process_time()
        while await rollups.roll(tables, RealClock(), upkeep.PACE):
            pass
        spent = time.process_time() - cpu
        [(requests,)] = await tables.rows("select count(*) from decisions")
        return spent / int(requests) * 1e6
    finally:
        await tables.close()


def _table(record: Record) -> str:
    lines = ["| figure | | wanted | |", "|---|---|---|---|"]
    for key, about, wanted in ROWS:
        lines.append(f"| {key} | {record[key]:,.4g} | {wanted} | {about} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
