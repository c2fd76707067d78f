"""W1 to W4: Penstock beside nginx, LiteLLM, Portkey and a bare pass-through, one core each in turn."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

# It runs as a script, from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.measure import Plan
from bench.process import BenchFailed
from bench.table import show
from bench.workloads import (
    Record,
    cache_hit,
    opened,
    pass_through,
    start_and_rest,
    streams,
)

QUICK = Plan(rounds=3, seconds=2.0)
FULL = Plan(rounds=7, seconds=5.0)


def main() -> int:
    """0 done, 1 failed, with one line on standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one flat object, nothing else")
    parser.add_argument("--quick", action="store_true", help="every key within 10 minutes")
    options = parser.parse_args()
    say = _quiet if options.json else _loud
    try:
        with opened(QUICK if options.quick else FULL, say) as bench:
            start_and_rest(bench)
            pass_through(bench)
            cache_hit(bench)
            streams(bench)
            streams(bench, paced=True)
            record = bench.record
    except (BenchFailed, OSError, ValueError, subprocess.SubprocessError) as error:
        sys.stderr.write("gateway bench: " + " ".join(str(error).split()) + "\n")
        return 1
    _out(record, as_json=options.json)
    return 0


def _out(record: Record, *, as_json: bool) -> None:
    print(
        json.dumps({key: round(value, 4) for key, value in record.items()})
        if as_json
        else show(record)
    )


def _loud(text: str) -> None:
    sys.stderr.write(text + "\n")


def _quiet(_: str) -> None:
    return


if __name__ == "__main__":
    sys.exit(main())
