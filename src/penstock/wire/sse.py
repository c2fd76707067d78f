"""Server-sent events: cut a byte stream into whole events, and write them."""

from __future__ import annotations

import re

from penstock.errors import Failed

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"
TYPE = "text/event-stream"
HEADERS = (
    ("content-type", f"{TYPE}; charset=utf-8"),
    ("cache-control", "no-cache"),
    ("x-accel-buffering", "no"),
)

MAX_EVENT = 4 << 20
_LINE_END = re.compile(rb"\r\n|\r|\n")


def data(payload: bytes) -> bytes:
    """One event of a single-line payload."""
    return b"data: " + payload + b"\n\n"


class Blocks:
    """Cuts bytes into blocks of whole events, each ending with a blank line, whatever the reads were.

    Feeds return everything complete so far, so that many events that came in one read cost one step. CR and CRLF
    line ends become LF. Raises Failed where one event is larger than `limit` bytes.
    """

    __slots__ = ("_held", "_limit", "_seen_cr")

    def __init__(self, limit: int = MAX_EVENT) -> None:
        self._held = b""
        self._limit = limit
        self._seen_cr = False

    def feed(self, chunk: bytes) -> bytes:
        """Whole events that are complete now; empty where none is."""
        if not chunk:
            return b""
        if b"\r" in chunk or self._seen_cr:
            chunk = self._to_lf(chunk)
        held = self._held
        if not held and chunk.endswith(b"\n\n"):
            return chunk
        held += chunk
        # The blank line may straddle the reads.
        cut = held.rfind(b"\n\n", max(0, len(held) - len(chunk) - 1))
        if cut < 0:
            self._held = held
            self._check()
            return b""
        self._held = held[cut + 2 :]
        self._check()
        return held[: cut + 2]

    def rest(self) -> bytes:
        """What stands unfinished: not an event."""
        return self._held

    def _to_lf(self, chunk: bytes) -> bytes:
        if self._seen_cr:
            # The CR before was already turned into a line end.
            self._seen_cr = False
            if chunk.startswith(b"\n"):
                chunk = chunk[1:]
        self._seen_cr = chunk.endswith(b"\r")
        return _LINE_END.sub(b"\n", chunk)

    def _check(self) -> None:
        if len(self._held) > self._limit:
            raise Failed("The target sent an event larger than its cap.", code="upstream_too_large")


def payloads(block: bytes) -> list[tuple[str, bytes]]:
    """The events of a block as (event name, data); comments and other fields are dropped."""
    found: list[tuple[str, bytes]] = []
    for event in block.split(b"\n\n"):
        name, lines = "", []
        for line in event.split(b"\n"):
            if line.startswith(b"data:"):
                lines.append(line[6:] if line.startswith(b"data: ") else line[5:])
            elif line.startswith(b"event:"):
                name = line[6:].strip().decode("utf-8", "replace")
        if lines:
            found.append((name, b"\n".join(lines)))
    return found
