"""Just enough HTTP/1.1 to be a fast and strict-enough origin: request heads and chunked bodies."""

from __future__ import annotations

import msgspec

HEAD_LIMIT = 64_000
BODY_LIMIT = 64_000_000
END = b"\r\n\r\n"


class BadRequestHead(Exception):
    """Not HTTP, or over a bound: answered 400 and closed."""


class Incoming(msgspec.Struct):
    """One request as received: `head` without the blank line, and `lower`, the same in lower case."""

    head: bytes
    lower: bytes
    body: bytes

    def header(self, name: bytes) -> str:
        """A header's first value, empty when there is none; `name` in lower case."""
        start = self.lower.find(b"\r\n" + name + b":")
        if start < 0:
            return ""
        start += len(name) + 3
        end = self.head.find(b"\r\n", start)
        value = self.head[start:] if end < 0 else self.head[start:end]
        return value.strip().decode("latin-1")

    def headers(self) -> list[tuple[str, str]]:
        """All headers in order, names in lower case."""
        return header_pairs(self.head)


def header_pairs(head: bytes) -> list[tuple[str, str]]:
    """The headers of a raw request head, in order, names in lower case."""
    lines = head.decode("latin-1").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines)
    return [(name.strip().lower(), value.strip()) for name, _, value in pairs]


def body_length(lower: bytes) -> int:
    """Content-Length, 0 without one, -1 for a chunked body."""
    start = lower.find(b"\r\ncontent-length:")
    if start >= 0:
        end = lower.find(b"\r\n", start + 17)
        return _size(lower[start + 17 :] if end < 0 else lower[start + 17 : end], 10)
    return -1 if b"\r\ntransfer-encoding: chunked" in lower else 0


def unchunk(data: bytes, at: int) -> tuple[bytes, int] | None:
    """A chunked body starting at `at` and where it ends; None while it is incomplete."""
    parts: list[bytes] = []
    while True:
        line_end = data.find(b"\r\n", at)
        if line_end < 0:
            return None
        size = _size(data[at:line_end].partition(b";")[0], 16)
        at = line_end + 2
        if len(data) < at + size + 2:
            return None
        if size == 0:
            return b"".join(parts), at + 2
        parts.append(data[at : at + size])
        at += size + 2


def _size(text: bytes, base: int) -> int:
    try:
        size = int(text, base)
    except ValueError:
        raise BadRequestHead from None
    if not 0 <= size <= BODY_LIMIT:
        raise BadRequestHead
    return size
