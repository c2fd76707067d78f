"""How fast the embedded index finds, beside many other owners: `python bench/index.py [--entries 100000] [--json]`.

Drawn by a seed: vectors without structure, 60 to 140 terms an entry of 20,000 words by Zipf's law, less the commonest, as
a tokeniser leaves them out. Times are medians and 95th percentiles of all rounds' searches; CPU time stands beside them,
since others may load the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from statistics import median

# It runs as a script, from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from penstock.platforms.embedded.index import EmbeddedIndex
from penstock.platforms.world import RealClock
from penstock.ports import MOST_ENTRIES, MOST_MATCHES, Entry, Vector

MODEL = "drawn"
OWNER = "ann"
WORDS = [f"w{number}" for number in range(20_000)]
LEFT_OUT = 30
"""Of the commonest words: function words, which no entry has as terms."""
SHARES = [1 / (number + LEFT_OUT) for number in range(len(WORDS))]
LENGTHS = (60, 140)
ASKED = 6
A_DOCUMENT = 50
OTHERS = (10, 100, 1_000)
"""Entries of other owners, each size several times."""
OTHERS_EACH = 5
ROUNDS = 3
SEARCHES = 60
WARMING = 200

Record = dict[str, float]
Question = Callable[[], dict]


class Draw:
    """Entries and questions of one seed."""

    def __init__(self, dimension: int) -> None:
        self._random = random.Random(1)
        self._numbers = np.random.default_rng(1)
        self._dimension = dimension

    def vector(self) -> Vector:
        return Vector(MODEL, self._numbers.standard_normal(self._dimension).tolist())

    def terms(self, count: int) -> tuple[str, ...]:
        return tuple(self._random.choices(WORDS, SHARES, k=count))

    def question(self) -> list[str]:
        """Terms as they come in text, and as a title would have them."""
        asked = self.terms(ASKED)
        return [*asked, *("#" + term for term in asked)]

    def entry(self, owner: str, number: int) -> Entry:
        size = self._random.randrange(*LENGTHS)
        document = f"doc{number // A_DOCUMENT}"
        return Entry(f"chunk_{number:08}", owner, document, self.vector(), self.terms(size))


async def fill(index: EmbeddedIndex, draw: Draw, owner: str, count: int) -> Record:
    """Entries a second, by the clock and of CPU."""
    wall = cpu = 0.0
    for first in range(0, count, MOST_ENTRIES):
        numbers = range(first, min(count, first + MOST_ENTRIES))
        entries = [draw.entry(owner, number) for number in numbers]
        took = await timed(partial(index.upsert, entries))
        wall, cpu = wall + took[0], cpu + took[1]
    return {
        "entries_per_second": count / wall * 1_000,
        "entries_per_cpu_second": count / cpu * 1_000,
    }


async def timed(work: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Milliseconds by the clock, and of CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    await work()
    return (time.perf_counter() - wall) * 1_000, (time.process_time() - cpu) * 1_000


async def ask(index: EmbeddedIndex, name: str, question: Question) -> Record:
    """The times of some searches."""
    found = [
        await timed(lambda: index.search(OWNER, MOST_MATCHES, **question()))
        for _ in range(ROUNDS * SEARCHES)
    ]
    walls, cpus = (sorted(times) for times in zip(*found, strict=True))
    return {
        f"{name}_p50_ms": median(walls),
        f"{name}_p95_ms": walls[int(0.95 * len(walls))],
        f"{name}_cpu_ms": median(cpus),
        f"{name}_cpu_p95_ms": cpus[int(0.95 * len(cpus))],
    }


async def others(index: EmbeddedIndex, draw: Draw) -> None:
    for size in OTHERS:
        for number in range(OTHERS_EACH):
            await fill(index, draw, f"owner{size}_{number}", size)


async def changed(index: EmbeddedIndex, draw: Draw, count: int) -> Record:
    """The search that follows a change."""
    both = {"vector": draw.vector(), "terms": draw.question()}
    after: dict[str, list[float]] = {"write": [], "delete": []}
    for number in range(ROUNDS):
        await index.search(OWNER, MOST_MATCHES, **both)
        await index.upsert([Entry(f"new{number}", OWNER, "new", draw.vector(), draw.terms(100))])
        after["write"].append((await timed(lambda: index.search(OWNER, MOST_MATCHES, **both)))[0])
        await index.delete(OWNER, document=f"doc{number * count // A_DOCUMENT // ROUNDS}")
        after["delete"].append((await timed(lambda: index.search(OWNER, MOST_MATCHES, **both)))[0])
    return {f"after_{name}_ms": median(times) for name, times in after.items()}


async def measured(dimension: int, count: int) -> Record:
    """All figures of an index of that size."""
    draw, record = Draw(dimension), Record()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "index.sqlite")
        index = EmbeddedIndex(path, RealClock(), MODEL, dimension)
        record.update(await fill(index, draw, OWNER, count))
        await others(index, draw)
        await index.close()
        record["bytes_per_entry"] = size(path) / count
        index = EmbeddedIndex(path, RealClock(), MODEL, dimension)
        await index.describe()
        before = resident_mb()

        def both() -> dict:
            return {"vector": draw.vector(), "terms": draw.question()}

        record["first_search_ms"] = (
            await timed(lambda: index.search(OWNER, MOST_MATCHES, **both()))
        )[0]
        record.update(await ask(index, "dense", lambda: {"vector": draw.vector()}))
        record.update(await ask(index, "lexical_unwarmed", lambda: {"terms": draw.question()}))
        for _ in range(WARMING):
            await index.search(OWNER, 1, terms=draw.question())
        record.update(await ask(index, "lexical", lambda: {"terms": draw.question()}))
        record.update(await ask(index, "search", both))
        record.update(
            await ask(index, "document", lambda: {**both(), "document": f"doc{count // 99}"})
        )
        record["memory_mb"] = resident_mb() - before
        record.update(await changed(index, draw, count))
        await index.close()
    return record


def size(path: Path) -> int:
    return path.stat().st_size


def resident_mb() -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) / 1_024 if found else 0.0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--dimension", type=int, default=384)
    options.add_argument("--entries", type=int, default=100_000)
    options.add_argument("--json", action="store_true", help="one flat object and nothing else")
    options.add_argument("--quick", action="store_true", help="the same: it takes some minutes")
    chosen = options.parse_args()
    record = asyncio.run(measured(chosen.dimension, chosen.entries))
    named = {f"index_{name}": round(value, 3) for name, value in record.items()}
    if chosen.json:
        print(json.dumps(named))
        return
    for name, value in named.items():
        print(f"{name:36} {value:>12,.1f}")


if __name__ == "__main__":
    main()
