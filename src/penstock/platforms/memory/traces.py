"""Finished spans in memory, for tests to look at."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.wire.tracing import Span


class MemoryTraces:
    """Keeps as many as it has room for."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self.spans: list[Span] = []
        self.dropped = 0
        self.failed = 0

    def record(self, spans: Sequence[Span]) -> None:
        if len(self.spans) + len(spans) > self._most:
            self.dropped += len(spans)
        else:
            self.spans += spans
