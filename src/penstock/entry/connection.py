"""One inbound connection: uvicorn's, with a bound on the head's size and on how long it may take to arrive."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from penstock.wire.json import encode

HEAD_BYTES = 64 << 10
"""Beyond the first read, which the loop bounds at 256 KB."""
HEAD_SECONDS = 10.0
_REASONS = {400: b"Bad Request", 408: b"Request Timeout", 431: b"Request Header Fields Too Large"}


class Corked:
    """A transport that sends a reply's head along with what follows it in the same step: one system call, one packet."""

    __slots__ = ("_head", "_loop", "_transport", "get_extra_info", "is_closing")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""
        self.is_closing = transport.is_closing
        self.get_extra_info = transport.get_extra_info

    def write(self, data: bytes) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head + data)
        elif data.startswith(b"HTTP/1.1 "):
            self._head = data
            self._loop.call_soon(self._uncork)
        else:
            self._transport.write(data)

    def close(self) -> None:
        self._uncork()
        self._transport.close()

    def _uncork(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)


class Connection(HttpToolsProtocol):
    """Refuses what no gateway should wait for; uvicorn takes a protocol class and offers no other way in."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head = 0
        self._in_head = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.transport = cast("asyncio.Transport", Corked(transport, self.loop))
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._in_head:
            self._head += len(data)
            if self._head > HEAD_BYTES:
                self._refuse(
                    431, "header_too_large", "The header section is larger than this server takes."
                )
            elif self._deadline is None:
                self._await_head()

    def on_message_begin(self) -> None:
        self._in_head, self._head = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_came()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "invalid_http", "This is not a valid HTTP request.")

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def _head_came(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        self._refuse(408, "head_timeout", "The request's header did not arrive in time.")

    def _refuse(self, status: int, code: str, detail: str) -> None:
        """Says why and closes: whatever follows on this connection is not trusted to be a request."""
        if self.transport.is_closing():
            return
        reason = _REASONS[status]
        text = reason.decode()
        body = encode(
            {
                "type": "about:blank",
                "title": text,
                "status": status,
                "detail": detail,
                "code": code,
                "error": text,
            }
        )
        head = b"HTTP/1.1 %d %b\r\ncontent-type: application/problem+json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(head % (status, reason, len(body)) + body)
        self.transport.close()
