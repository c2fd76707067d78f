"""One request and what has come of its reply so far."""

from __future__ import annotations

import asyncio
from typing import Protocol

from penstock.errors import Failed
from penstock.platforms.http.head import Head
from penstock.platforms.outbound import WHOLE


class Line(Protocol):
    """The connection an exchange takes place on."""

    loop: asyncio.AbstractEventLoop

    def resume(self) -> None: ...
    def drop(self, exchange: Exchange) -> None: ...


class Exchange:
    """Bytes that came and were not taken yet, the head, and how it ended.

    `ready` once there is something to answer with: the whole reply, the head of a stream, or a failure.
    """

    __slots__ = (
        "buffered", "cap", "done", "failure", "head", "line", "method", "parts", "ready",
        "verbatim", "waiter", "whole",
    )  # fmt: skip

    def __init__(self, line: Line, method: str, cap: int, *, verbatim: bool = False) -> None:
        self.line = line
        self.method = method
        self.cap = cap
        self.verbatim = verbatim
        self.head: Head | None = None
        self.parts: list[bytes] = []
        self.buffered = 0
        self.whole = False
        self.ready = False
        self.done = False
        self.failure: Failed | None = None
        self.waiter: asyncio.Future[None] | None = None

    def begin(self, head: Head) -> None:
        """The head has come."""
        self.head = head
        size = head.length
        self.whole = not head.packing and size is not None and size <= min(WHOLE, self.cap)
        self.ready = not self.whole

    def put(self, part: bytes) -> None:
        self.parts.append(part)
        self.buffered += len(part)

    def take(self) -> bytes:
        """All that has come and was not taken yet."""
        parts = self.parts
        taken = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        self.buffered = 0
        self.line.resume()
        return taken

    def end(self, failure: Failed | None = None) -> None:
        """Nothing more comes: the reply is whole, or it failed."""
        self.done = self.ready = True
        self.failure = failure
        self.wake()

    def wake(self) -> None:
        waiter = self.waiter
        if waiter is not None:
            self.waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def arrival(self) -> asyncio.Future[None]:
        """Done at the next news. To be awaited at once, by one reader."""
        waiter = self.waiter = self.line.loop.create_future()
        return waiter

    def drop(self) -> None:
        """Nobody wants the rest: the target sees the connection close."""
        if not self.done:
            self.line.drop(self)
