"""What the embedded index costs by the size of an owner: `python -m bench.index 384 10000`.

Drawn by a seed: vectors without structure, 100 terms an entry of 20,000 by Zipf's law. It prints, and asserts nothing.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from penstock.platforms.embedded.index import EmbeddedIndex
from penstock.platforms.world import RealClock
from penstock.ports import MOST_ENTRIES, Entry, Vector

MODEL = "drawn"
TERMS = 100
WORDS = [f"w{number}" for number in range(20_000)]
SHARES = [1 / (number + 1) for number in range(20_000)]
COMMON = 1_000
"""Words before this place are common."""
ASKED = 6
ROUNDS = 21
K = 20


class Draw:
    """Entries and questions of one seed."""

    def __init__(self, dimension: int) -> None:
        self._random = random.Random(1)
        self._dimension = dimension

    def vector(self) -> Vector:
        return Vector(MODEL, tuple(self._random.gauss() for _ in range(self._dimension)))

    def terms(self, count: int) -> tuple[str, ...]:
        return tuple(self._random.choices(WORDS, SHARES, k=count))

    def rare(self) -> tuple[str, ...]:
        return tuple(self._random.sample(WORDS[COMMON:], ASKED))

    def entry(self, number: int) -> Entry:
        return Entry(
            f"chunk_{number:08}", "ann", f"doc{number // 50}", self.vector(), self.terms(TERMS)
        )


async def fill(index: EmbeddedIndex, draw: Draw, count: int) -> float:
    """Entries a second."""
    seconds = 0.0
    for first in range(0, count, MOST_ENTRIES):
        entries = [draw.entry(number) for number in range(first, first + MOST_ENTRIES)]
        begun = time.perf_counter()
        await index.upsert(entries)
        seconds += time.perf_counter() - begun
    return count / seconds


async def ask(index: EmbeddedIndex, name: str, question: Callable[[], dict]) -> None:
    """Prints the median and the slowest of some searches."""
    took = []
    for _ in range(ROUNDS):
        asked = question()
        begun = time.perf_counter()
        await index.search("ann", K, **asked)
        took.append((time.perf_counter() - begun) * 1_000)
    print(f"{name}: {statistics.median(took):.1f} ms, slowest {max(took):.1f} ms")


def size(path: Path) -> int:
    return path.stat().st_size


async def main(dimension: int, count: int) -> None:
    draw = Draw(dimension)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "index.sqlite")
        index = EmbeddedIndex(path, RealClock(), MODEL, dimension)
        print(f"written: {await fill(index, draw, count):.0f} entries a second")
        await ask(index, "by vector", lambda: {"vector": draw.vector()})
        await ask(index, "by six terms as they come", lambda: {"terms": draw.terms(ASKED)})
        await ask(index, "by six rare terms", lambda: {"terms": draw.rare()})
        await index.close()
        print(f"file: {size(path) / count:.0f} bytes an entry")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
