"""Plays seeds: `python -m tests.simulation 17 --trace`, or many, `python -m tests.simulation 0 10000`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.seeds import run
from tests.simulation.world import Broken, World

GROUP = 50


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", type=int, help="the seed, or the first of several")
    parser.add_argument("end", type=int, nargs="?", help="the seed behind the last")
    parser.add_argument("--trace", action="store_true", help="tell every step of a single seed")
    asked = parser.parse_args(given)
    end = asked.end or asked.seed + 1
    if end == asked.seed + 1:
        broken = _play(asked.seed, trace=asked.trace)
        sys.stdout.write(broken or f"The books of seed {asked.seed} are right.\n")
        return 1 if broken else 0
    firsts = range(asked.seed, end, GROUP)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = [text for texts in pool.map(_group, firsts, [end] * len(firsts)) for text in texts]
    sys.stdout.write("".join(found))
    sys.stdout.write(f"{end - asked.seed} seeds, {len(found)} with wrong books\n")
    return 1 if found else 0


def _group(first: int, end: int) -> list[str]:
    played = [_play(seed) for seed in range(first, min(first + GROUP, end))]
    return [text for text in played if text]


def _play(seed: int, *, trace: bool = False) -> str:
    """What is wrong with a seed's books."""
    world, broken = World(seed), ""
    try:
        run(world, seed)
    except Broken as books:
        broken = f"{books}\n"
    if trace:
        sys.stdout.write("\n".join([*world.trace, ""]))
    return broken


if __name__ == "__main__":
    sys.exit(main())
