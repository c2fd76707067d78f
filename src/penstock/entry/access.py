"""One JSON line a request: who by hash, what by route and target, how long; never a body, a token or a prompt."""

from __future__ import annotations

import asyncio
import os
import select
import sys
import time
from collections.abc import Callable
from typing import Any

from penstock.entry.lines import request_line
from penstock.wire.http import Request
from penstock.wire.json import encode

FLUSH_SECONDS = 0.2
Write = Callable[[bytes], Any]


class AccessLog:
    """Gathers lines and writes them together; `close` writes the rest."""

    def __init__(self, write: Write | None = None, now: Callable[[], float] = time.time) -> None:
        self._write = write or _standard_output
        self._now = now
        self._lines: list[bytes] = []

    def __call__(self, request: Request, status: int, seconds: float) -> None:
        line = request_line(request, self._now(), status, seconds)
        if not self._lines:
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.close)
        self._lines.append(encode(line))

    def close(self) -> None:
        """Writes what was gathered."""
        lines, self._lines = self._lines, []
        if lines:
            self._write(b"\n".join(lines) + b"\n")


def _standard_output(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def shared_output(data: bytes) -> None:
    """Whole lines at a time, as many as a pipe takes at once: those of several processes do not mix."""
    sys.stdout.flush()
    start = 0
    while start < len(data):
        end = data.rfind(b"\n", start, start + select.PIPE_BUF) + 1
        end = end or data.find(b"\n", start) + 1
        os.write(sys.stdout.fileno(), data[start:end])
        start = end
