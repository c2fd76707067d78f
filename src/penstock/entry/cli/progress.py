"""How far long work is, on standard error: a bar where somebody looks, nothing where nobody does."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
WIDTH = 30


class Bar:
    """A line that is drawn anew at each change, and taken away at the end."""

    def __init__(self, label: str, total: int) -> None:
        self._label = label
        self._total = max(total, 1)
        self._shown = sys.stderr.isatty()
        self._drawn = -1

    def at(self, done: int) -> None:
        """So much of the total is done."""
        filled = min(done * WIDTH // self._total, WIDTH)
        share = min(done * 100 // self._total, 100)
        if not self._shown or share == self._drawn:
            return
        self._drawn = share
        bar = "█" * filled + "░" * (WIDTH - filled)
        print(f"\r{self._label} {bar} {share:3d} %", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leaves the line empty."""
        if self._shown and self._drawn >= 0:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def shown(label: str, items: Sequence[T]) -> Iterator[T]:
    """The items one by one, with a bar while they are worked on."""
    bar = Bar(label, len(items))
    try:
        for done, item in enumerate(items):
            bar.at(done)
            yield item
    finally:
        bar.end()


def parts(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """The items in lists of at most `size`."""
    return [items[first : first + size] for first in range(0, len(items), size)]
