"""The two shapes of a reply, a stream of events and one whole body, around a provider's reader."""

from __future__ import annotations

from collections.abc import Callable

from penstock.errors import Broken, Failed
from penstock.wire.chat import Event, Usage
from penstock.wire.sse import Blocks, payloads

ReadEvent = Callable[[str, bytes, Event], None]
"""Takes one event (name, payload) into the Event under way; raises Failed for garbage."""

ReadWhole = Callable[[bytes], Event]
"""A whole reply as its one Event, `failure` set where it failed but is known to be billed."""


class StreamDecoder:
    """Cuts a stream into events and hands each to `read`; the leading bytes that are `plain` pass unread."""

    __slots__ = ("_blocks", "_done", "_emitted", "_plain", "_read")

    def __init__(self, read: ReadEvent, plain: Callable[[bytes], int] | None = None) -> None:
        self._blocks = Blocks()
        self._read = read
        self._plain = plain
        self._emitted = False
        self._done = False

    def feed(self, data: bytes) -> list[Event]:
        if self._done:
            return []
        try:
            block = self._blocks.feed(data)
        except Failed as error:
            return self._failed(error, Event())
        if not block:
            return []
        length = self._plain(block) if self._plain is not None else 0
        if not length:
            return self._events(block)
        self._emitted = True
        if length == len(block):
            return [Event(block)]
        return [Event(block[:length]), *self._events(block[length:])]

    def close(self) -> list[Event]:
        if self._done:
            return []
        # Some servers leave out the blank line after their last event.
        rest = self._blocks.rest().strip()
        found = self._events(rest) if rest.startswith(b"data:") and rest.endswith(b"]") else []
        if self._done:
            return found
        return found + self._failed(
            Broken("The target's stream ended before its end mark."), Event()
        )

    def _events(self, block: bytes) -> list[Event]:
        event = Event()
        try:
            for name, payload in payloads(block):
                if payload:
                    self._read(name, payload, event)
                if event.end:
                    self._done = True
                    break
        except Failed as error:
            return self._failed(error, event)
        if not (event.end or _carries(event)):
            return []
        self._emitted = True
        return [event]

    def _failed(self, error: Failed, event: Event) -> list[Event]:
        self._done = True
        if not (self._emitted or _carries(event)):
            raise error
        error.processed = "yes"
        event.failure = error
        event.end = True
        return [event]


class WholeDecoder:
    """Gathers a reply that is read in one piece; its size is bounded where it was fetched."""

    __slots__ = ("_done", "_parts", "_read")

    def __init__(self, read: ReadWhole) -> None:
        self._parts: list[bytes] = []
        self._read = read
        self._done = False

    def feed(self, data: bytes) -> list[Event]:
        if not self._done:
            self._parts.append(data)
        return []

    def close(self) -> list[Event]:
        if self._done:
            return []
        self._done = True
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        event = self._read(body)
        event.end = True
        return [event]


def billed_failure(error: Failed, usage: Usage | None) -> Event:
    """The Event of a failed reply whose usage is known; raises the error where it is not."""
    if usage is None:
        raise error
    error.processed = "yes"
    return Event(usage=usage, failure=error)


def _carries(event: Event) -> bool:
    return bool(event.data or event.usage_data or event.usage or event.finish)
