"""Limits and money to the last one: admissions over four processes, a budget under 500 calls, what the ledger costs, crashes."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

# It runs as a script, from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import admissions, ledgers, replicas, spending, survival
from bench.process import BenchFailed

ROWS = (
    ("admitted_excess", "calls admitted beyond the limit, of 5,000 at once over 4 processes, all runs", "0"),
    ("admitted_shortfall", "calls refused though the limit had room", "0"),
    ("overspend_nanos", "nano-dollars spent beyond a $1.00 budget by 500 calls at once", "0"),
    ("budget_used_share", "share of the budget that was used, the least of all homes", "≥ 0.95"),
    ("false_denials", "calls refused after settlement though they fit", "0"),
    ("ledger_us_sqlite", "CPU µs a request of the gateway for its hold and its settlement", ""),
    ("ledger_us_postgres", "the same on PostgreSQL", ""),
    ("w1_server_rps", "W1 (chat at concurrency 64) with 2 workers on the server home, requests/s", ""),
    ("w1_server_vs_embedded", "the same ÷ one embedded process, on the same two cores", ""),
    ("crash_runs", "kill -9 at a fail-point under load", "≥ 200"),
    ("crash_fail_points", "fail-points that were hit", "≥ 12"),
    ("crash_lost", "calls that the provider charged and the ledger has not", "0"),
    ("crash_doubled", "calls that the ledger has twice", "0"),
)  # fmt: skip
Record = dict[str, float]


def main() -> int:
    """0 done, 1 failed, with one line on standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one flat object, nothing else")
    parser.add_argument("--quick", action="store_true", help="every key within 10 minutes")
    options = parser.parse_args()
    say = _quiet if options.json else _loud
    try:
        record = measured(quick=options.quick, say=say)
    except (BenchFailed, OSError, ValueError, AssertionError, subprocess.SubprocessError) as error:
        sys.stderr.write("exact bench: " + " ".join(str(error).split())[:500] + "\n")
        return 1
    if options.json:
        print(json.dumps({key: round(value, 4) for key, value in record.items()}))
    else:
        print(table(record))
    return 0


def measured(*, quick: bool, say: admissions.Say) -> Record:
    record: Record = {}
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="exact-")))
        stores = stack.enter_context(replicas.stores(home))
        record |= admissions.measured(home, stores, say)
        record |= spending.measured(home, stores, say)
        record |= ledgers.measured(home, stores, say)
        record |= ledgers.pass_through(home, stores, say)
    return record | survival.measured(quick=quick, say=say)


def table(record: Mapping[str, float]) -> str:
    """Markdown."""
    lines = ["| figure | | wanted | |", "|---|---|---|---|"]
    for key, about, wanted in ROWS:
        value = record[key]
        told = f"{value:,.0f}" if value == int(value) or value > 100 else f"{value:.3g}"
        lines.append(f"| {key} | {told} | {wanted} | {about} |")
    return "\n".join(lines)


def _loud(text: str) -> None:
    sys.stderr.write(text + "\n")


def _quiet(_: str) -> None:
    return


if __name__ == "__main__":
    sys.exit(main())
