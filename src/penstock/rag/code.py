"""Whether an answer stands in code just now, in which marks are the code's own."""

from __future__ import annotations

FENCE = 3
"""Ticks in a row that open a block."""


class Code:
    """Told an answer in tokens: text, ticks, line ends. A run of ticks is one, however it came."""

    __slots__ = ("_blank", "_fence", "_inline", "_run")

    def __init__(self) -> None:
        self._blank = True
        self._fence = 0
        self._inline = 0
        self._run = 0

    def open(self) -> bool:
        """Whether what comes next, which is no tick, is code."""
        self._end_run()
        return bool(self._fence or self._inline)

    def text(self, text: str) -> None:
        if text:
            self._end_run()
            self._blank = self._blank and text.isspace()

    def ticks(self, run: str) -> None:
        self._run += len(run)

    def line(self) -> None:
        """Code within a line ends with it, whether it was closed or not."""
        self._end_run()
        self._blank, self._inline = True, 0

    def _end_run(self) -> None:
        size, self._run = self._run, 0
        if not size:
            return
        if self._fence:
            if self._blank and size >= self._fence:
                self._fence = 0
        elif self._blank and size >= FENCE:
            self._fence = size
        elif self._inline in (0, size):
            self._inline = size - self._inline
        self._blank = False
