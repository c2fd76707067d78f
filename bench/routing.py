"""How well the learned router tells who gains by the strong target, how fast it decides, and how long it takes to learn."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from statistics import fmean, median, quantiles

# It runs as a script, from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import routing_costs, routing_sets, routing_warm, traffic
from penstock.entry.cli.router import draws
from penstock.errors import Error
from penstock.routing import features, fit, labels, router
from penstock.routing.evaluate import by, evaluate, held_out
from penstock.routing.labels import Labels, Row
from penstock.routing.recovered import apgr

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
CREATED = "2026-11-27"
ROUNDS = 3
FIT_ROWS = 5_000
FEWER = (300, 500, 1_500, 3_000)

Record = dict[str, float]


def main() -> int:
    """0 done or nothing to do, 1 failed, with one line on standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one flat object, nothing else")
    parser.add_argument("--quick", action="store_true", help="one round, and without fewer labels")
    parser.add_argument("--data", type=Path, default=DATA, help="the directory of the labelled set")
    options = parser.parse_args()
    if missing := routing_sets.lacking(options.data):
        sys.stderr.write(f"routing bench: skipped, there is no {options.data / missing}\n")
        print("{}" if options.json else "skipped")
        return 0
    try:
        record = measured(options.data, quick=options.quick)
    except (Error, OSError, ValueError) as error:
        sys.stderr.write("routing bench: " + " ".join(str(error).split()) + "\n")
        return 1
    rounded = {key: round(value, 4) for key, value in record.items()}
    print(json.dumps(rounded) if options.json else table(rounded))
    return 0


def measured(data: Path, *, quick: bool) -> Record:
    """Every figure."""
    given = list(routing_sets.rows(data, "train"))
    train = labels.read(routing_sets.lines(iter(given)))
    test = labels.read(routing_sets.lines(routing_sets.rows(data, "test")))
    made = fit.fit(train, "bench", CREATED, draws(), silent)
    record = on_test(test.rows, by(made, test.rows))
    record |= other_sources(train.rows, [row["cluster"] for row in given])
    record |= {"artefact_kb": len(router.encode(made)) / 1024}
    record |= decisions(made, [row["prompt"] for row in given])
    record |= fitting(train, 1 if quick else ROUNDS)
    record["apgr_train_cross_validated"] = made.apgr[0]
    if not traffic.lacking(data):
        record |= routing_costs.measured(data, made)
    if not quick:
        record |= routing_warm.measured()
        record["apgr_train_nested"] = apgr(held_out(train.rows, 5, silent), gains_of(train.rows))
        record |= fewer(train.rows)
    return record


def on_test(rows: Sequence[Row], scores: Sequence[float]) -> Record:
    """The test part, scored once by what the train part taught, beside what needs no learning."""
    found = evaluate(rows, scores, draws())
    ways = {"test": found.router, "random": found.random, "heuristic": found.heuristic}
    ways |= {"length": found.length, "oracle": found.oracle}
    record: Record = {}
    for name, figures in ways.items():
        record[f"apgr_{name}"] = figures.apgr.value
        record[f"apgr_{name}_low"] = figures.apgr.low
        record[f"apgr_{name}_high"] = figures.apgr.high
        record[f"cpt50_{name}"] = figures.cpt50.value
        record[f"cpt80_{name}"] = figures.cpt80.value
    return record | {"apgr_random_sd": found.random.sd, "test_rows": len(rows)}


def other_sources(rows: Sequence[Row], clusters: Sequence[str]) -> Record:
    """Each cluster scored by a fit of the others: what can be hoped for where no label came from."""
    record: Record = {}
    for name in sorted(set(clusters)):
        inside = [row for row, one in zip(rows, clusters, strict=True) if one == name]
        outside = [row for row, one in zip(rows, clusters, strict=True) if one != name]
        weights = fit.fitted(outside, (fit.chosen(outside, silent),))[0]
        record[f"apgr_without_cluster_{name}"] = apgr(
            [weights.score(row) for row in inside], gains_of(inside)
        )
    return record | {"apgr_other_sources": fmean(record.values())}


def decisions(made: router.Router, prompts: Sequence[str]) -> Record:
    """Microseconds of CPU from an ask's text to its score, over the prompts as they are: the median of rounds."""
    score = router.Scorer(made)
    middles, tails = [], []
    for _ in range(ROUNDS):
        took = []
        for prompt in prompts:
            begun = time.perf_counter()
            score(features.of_text(prompt))
            took.append(time.perf_counter() - begun)
        cut = quantiles(took, n=20)
        middles.append(cut[9] * 1e6)
        tails.append(cut[18] * 1e6)
    longest = max(prompts, key=len) * 5
    begun = time.process_time()
    for _ in range(100):
        score(features.of_text(longest))
    return {
        "decision_us": median(middles),
        "decision_p95_us": median(tails),
        "decision_longest_us": (time.process_time() - begun) * 1e4,
    }


def fitting(train: Labels, rounds: int) -> Record:
    """Seconds of CPU to fit 5,000 labels, and by the clock, which others at work stretch."""
    part = Labels(train.rows[:FIT_ROWS], FIT_ROWS, 0, train.digest)
    clock, cpu = [], []
    for _ in range(rounds):
        begun, used = time.perf_counter(), time.process_time()
        fit.fit(part, "bench", CREATED, draws(), silent)
        clock.append(time.perf_counter() - begun)
        cpu.append(time.process_time() - used)
    return {"fit_seconds": median(cpu), "fit_clock_seconds": median(clock)}


def fewer(rows: Sequence[Row]) -> Record:
    """What fewer labels teach: the others scored, means of draws."""
    record: Record = {}
    for count in FEWER:
        found = []
        for seed in range(ROUNDS):
            order = list(range(len(rows)))
            Random(seed).shuffle(order)
            some, others = ([rows[at] for at in part] for part in (order[:count], order[count:]))
            weights = fit.fitted(some, (fit.chosen(some, silent),))[0]
            found.append(apgr([weights.score(row) for row in others], gains_of(others)))
        record[f"apgr_of_{count}_labels"] = fmean(found)
    return record


def gains_of(rows: Sequence[Row]) -> list[float]:
    return [row.gain for row in rows]


def silent(_: str) -> None:
    """A bench tells no progress."""


def table(record: Record) -> str:
    """For people."""
    lines = ["| test part, by | APGR | 95 % | CPT50 | CPT80 |", "|---|---:|---:|---:|---:|"]
    for name in ("test", "heuristic", "length", "random", "oracle"):
        low, high = record[f"apgr_{name}_low"], record[f"apgr_{name}_high"]
        parts = [f"{record[f'{key}_{name}']:.3f}" for key in ("apgr", "cpt50", "cpt80")]
        shown = "learned" if name == "test" else name
        lines.append(
            f"| {shown} | {parts[0]} | {low:.3f} to {high:.3f} | {parts[1]} | {parts[2]} |"
        )
    said = ("_test", "_heuristic", "_length", "_random", "_oracle", "_low", "_high")
    rest = {
        key: value
        for key, value in record.items()
        if not key.endswith(said) and not key.startswith(routing_costs.KEYS)
    }
    lines += ["", *(f"{key}: {value:,.4g}" for key, value in rest.items())]
    return "\n".join(
        [*lines, *(["", routing_costs.told(record)] if "cost_learned_usd" in record else ())]
    )


if __name__ == "__main__":
    sys.exit(main())
