"""Many runs, their fail-points dealt in turn, and what came of all of them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from msgspec import Struct

from load.fake_provider import FakeProvider
from tests.crash.audit import Finding
from tests.crash.config import KEY, PRICES
from tests.crash.homes import Home, Place, opened
from tests.crash.points import POINTS, Point
from tests.crash.process import Died
from tests.crash.run import Result, Run, Spec, spec

TRIES = 3
"""Of a run whose point the load did not reach, each told of."""
Say = Callable[[str], None]


def quiet(line: str) -> None:
    """Says nothing."""


class Outcome(Struct):
    """What `bench/exact.py` shows. Lost: billed, but in no final row; doubled: charged twice, or for nothing; stuck: a hold, a
    reserve or a key that nothing ends."""

    home: str
    crash_runs: int = 0
    crash_fail_points: int = 0
    crash_lost: int = 0
    crash_doubled: int = 0
    stuck: int = 0
    wrong: int = 0
    rerolled: int = 0
    unreached: int = 0
    asked: int = 0
    billed: int = 0
    failed: list[str] = []

    @property
    def good(self) -> bool:
        """Whether every run died where it should, and nothing was wrong after it."""
        return not self.failed


def run(runs: int, home: str, seed: int, say: Say = quiet) -> Outcome:
    """So many runs at a home, `sqlite` or `postgres`; what it finds is in the outcome."""
    return _run([*enumerate(dealt(runs, seed))], home, seed, say)


def repeat(number: int, home: str, seed: int, say: Say = quiet) -> Outcome:
    """One of them alone."""
    return _run([(number, dealt(number + 1, seed)[number])], home, seed, say)


def _run(points: Sequence[tuple[int, Point]], home: str, seed: int, say: Say) -> Outcome:
    with TemporaryDirectory(prefix="penstock-crash-") as name:
        folder = Path(name)
        with opened(home, folder) as at, provider(folder) as fake:
            specs = [spec(seed, number, point) for number, point in points]
            return asyncio.run(series(specs, at, fake, say))


def provider(folder: Path) -> FakeProvider:
    """The fake provider with the prices of these tests."""
    prices = folder / "prices.json"
    prices.write_text(json.dumps(PRICES))
    return FakeProvider("--key", KEY, "--prices", str(prices))


def dealt(runs: int, seed: int) -> list[Point]:
    """All points as often, in an order of the seed's."""
    found: list[Point] = []
    random = Random(seed)
    while len(found) < runs:
        found += random.sample(POINTS, len(POINTS))
    return found[:runs]


async def series(specs: Sequence[Spec], home: Home, fake: FakeProvider, say: Say) -> Outcome:
    """One run after another."""
    outcome, points = Outcome(home.name), Counter[str]()
    for wanted in specs:
        result = await reached(wanted, home, fake, say)
        _add(outcome, result)
        points.update([result.spec.point.name] if result.reached else [])
        faults = result.faults
        say(f"run {wanted.number}: {result.spec} {'FAILED' if faults else 'ok'}")
        for fault in faults:
            say(f"  {fault}")
    outcome.crash_fail_points = len(points)
    return outcome


async def reached(wanted: Spec, home: Home, fake: FakeProvider, say: Say = quiet) -> Result:
    """The run, or the first further attempt whose load reaches its point."""
    for attempt in range(TRIES):
        if attempt:
            wanted = spec(int(wanted.seed.partition(":")[0]), wanted.number, wanted.point, attempt)
        result = await one(wanted, await home.place(), fake)
        if result.reached or result.findings:
            break
        say(f"run {wanted.number}: {wanted} not reached, died at {result.died or 'none'}")
    return result


async def one(wanted: Spec, place: Place, fake: FakeProvider) -> Result:
    """One run; a gateway that does not start, end or get on is a finding like any other."""
    work = Run(wanted, place, fake)
    try:
        return await work()
    except (Died, TimeoutError) as error:
        work.result.findings.append(Finding("stuck", f"{type(error).__name__}: {error}"))
        return work.result


def _add(outcome: Outcome, result: Result) -> None:
    kinds = Counter(kind for kind, _ in result.findings)
    outcome.crash_runs += 1
    outcome.crash_lost += kinds["lost"]
    outcome.crash_doubled += kinds["doubled"]
    outcome.stuck += kinds["stuck"]
    outcome.wrong += kinds["wrong"]
    outcome.unreached += not result.reached
    outcome.asked += result.asked
    outcome.billed += result.billed
    outcome.rerolled += result.spec.attempt
    if result.faults:
        outcome.failed.append(str(result.spec))
