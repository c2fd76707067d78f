"""kill -9 at named fail-points, the ledger beside the provider's own meter: what `make test-crash` does, counted."""

from __future__ import annotations

from bench.admissions import Say
from tests.crash.series import run

HOMES = ("sqlite", "postgres")
SEED = 1
QUICK_RUNS = 52
"""Each fail-point once."""
FULL_RUNS = 200


def measured(*, quick: bool, say: Say) -> dict[str, float]:
    """Sums over both homes; the fail-points are those of the home that met fewer."""
    outcomes = [run(QUICK_RUNS if quick else FULL_RUNS, home, SEED, say) for home in HOMES]
    for failed in (line for one in outcomes for line in one.failed):
        say(f"wrong: {failed}")
    return {
        "crash_runs": sum(one.crash_runs for one in outcomes),
        "crash_fail_points": min(one.crash_fail_points for one in outcomes),
        "crash_lost": sum(one.crash_lost for one in outcomes),
        "crash_doubled": sum(one.crash_doubled for one in outcomes),
        "crash_stuck": sum(one.stuck for one in outcomes),
        "crash_wrong": sum(one.wrong for one in outcomes),
        "crash_unreached": sum(one.unreached for one in outcomes),
    }
