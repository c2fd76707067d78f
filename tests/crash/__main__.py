"""`python -m tests.crash`, or `make test-crash`: kills gateways, and says after each whether the books are right."""

from __future__ import annotations

import argparse
import sys

import msgspec

from tests.crash.series import Outcome, repeat, run

HOMES = ("sqlite", "postgres")


def main() -> int:
    """0 where every run died at its fail-point and nothing was wrong afterwards."""
    args = _arguments()
    homes = args.home or HOMES
    outcomes = [_one(home, args) for home in homes]
    if args.json:
        sys.stdout.write(msgspec.json.encode(outcomes).decode() + "\n")
    for outcome in outcomes:
        _sum_up(outcome, args.seed)
    return 0 if all(outcome.good for outcome in outcomes) else 1


def _one(home: str, args: argparse.Namespace) -> Outcome:
    if args.run is not None:
        return repeat(args.run, home, args.seed, say)
    return run(args.runs, home, args.seed, say)


def say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _sum_up(outcome: Outcome, seed: int) -> None:
    say(
        f"{outcome.home}: {outcome.crash_runs} runs at {outcome.crash_fail_points} fail-points,"
        f" {outcome.asked} requests, {outcome.billed} billed calls: {outcome.crash_lost} lost,"
        f" {outcome.crash_doubled} doubled, {outcome.stuck} stuck, {outcome.wrong} otherwise wrong;"
        f" {outcome.rerolled} re-rolled, {outcome.unreached} never reached"
    )
    for failed in outcome.failed:
        number = failed.rpartition("seed=")[2].split(":")[1]
        say(f"  {failed}")
        say(f"  make test-crash ARGS='--home {outcome.home} --seed {seed} --run {number}'")


def _arguments() -> argparse.Namespace:
    line = argparse.ArgumentParser(prog="python -m tests.crash")
    line.add_argument("--home", action="append", choices=HOMES, help="default: all of them")
    line.add_argument("--runs", type=int, default=200, help="for each home (default: 200)")
    line.add_argument("--seed", type=int, default=1, help="of all that is drawn (default: 1)")
    line.add_argument("--run", type=int, help="only the run of this number")
    line.add_argument("--json", action="store_true", help="the outcomes on standard output")
    return line.parse_args()


if __name__ == "__main__":
    sys.exit(main())
