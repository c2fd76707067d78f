"""A planned reply, complete before a byte is sent: events, tokens at each, and the bytes on the wire.

Plans are pure and kept by request, so a repeated body costs one look-up. The reply's id is the only
part that differs from call to call; it stands in the bytes as a mark of the same length.
"""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus

import msgspec

from load.fake_provider.answer import Usage

ID_TEXT = "~id-of-this-fake-reply~~"
ID_MARK = ID_TEXT.encode()
JSON_TYPE = "application/json"
SSE_TYPE = "text/event-stream; charset=utf-8"

NOTHING_USED = Usage()

Headers = tuple[tuple[str, str], ...]


class Reply(msgspec.Struct, frozen=True):
    """A response: one event when it is not streamed; `tokens[i]` = output tokens after event i."""

    status: int
    events: tuple[bytes, ...]
    tokens: tuple[int, ...] = (0,)
    streamed: bool = False
    content_type: str = JSON_TYPE
    headers: Headers = ()


class Plan(msgspec.Struct, frozen=True):
    """A reply with what it will be charged for; `model` is empty when nothing is charged."""

    reply: Reply
    model: str = ""
    usage: Usage = NOTHING_USED
    fault: str = ""


class Wire(msgspec.Struct, frozen=True):
    """A reply's bytes with the id's mark in them; event i ends at `ends[i]`, the last one at the end."""

    data: bytes
    ends: tuple[int, ...]


def response_head(reply: Reply, framing: bytes) -> bytes:
    """The status line and headers; `framing` is the whole Content-Length or Transfer-Encoding line."""
    return _head(reply.status, reply.content_type, reply.headers) + framing + b"\r\n\r\n"


@lru_cache(maxsize=64)
def _head(status: int, content_type: str, headers: Headers) -> bytes:
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = "Unknown"
    lines = [
        f"HTTP/1.1 {status} {reason}",
        f"content-type: {content_type}",
        f"x-request-id: req_{ID_TEXT}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


def framed(data: bytes) -> bytes:
    """One piece of a body under chunked transfer encoding."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def to_wire(reply: Reply) -> Wire:
    """The whole response as it is sent when nothing is to go wrong."""
    if not reply.streamed:
        body = reply.events[0]
        data = response_head(reply, b"content-length: %d" % len(body)) + body
        return Wire(data, (len(data),))
    pieces = [framed(event) for event in reply.events]
    pieces[0] = response_head(reply, b"transfer-encoding: chunked") + pieces[0]
    pieces[-1] += b"0\r\n\r\n"
    ends: list[int] = []
    at = 0
    for piece in pieces:
        at += len(piece)
        ends.append(at)
    return Wire(b"".join(pieces), tuple(ends))
