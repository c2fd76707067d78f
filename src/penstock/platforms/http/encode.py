"""Requests as bytes. Nothing a header says can end it early and begin another."""

from __future__ import annotations

from functools import lru_cache

from penstock import __version__
from penstock.errors import Refused
from penstock.platforms.outbound import is_token, sent_name, unsendable
from penstock.platforms.target import Target
from penstock.wire import websocket
from penstock.wire.http import Request

LAST_CHUNK = b"0\r\n\r\n"
_BODILESS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS"})
_SWITCH = ("connection: Upgrade", "upgrade: websocket")
_DEFAULTS = (
    ("\naccept-encoding: ", "\naccept-encoding: identity"),
    ("\nuser-agent: ", f"\nuser-agent: penstock/{__version__}"),
)


def encode(request: Request, target: Target) -> tuple[bytes, str]:
    """The head, followed by a body of bytes; a Stream follows, in chunks unless its length is known. The second is a WebSocket's key, if it asks for one.

    Raises NotSent for what cannot be sent.
    """
    if not is_token(request.method):
        raise unsendable()
    lines = [request.method + target.line]
    listed: set[str] = set()
    key = ""
    for name, value in request.headers:
        if start := _start(name):
            lines.append(start + value)
        elif name.lower() == "connection":
            listed.update(part.strip() for part in value.lower().split(","))
    if listed:
        lines = [line for line in lines if line.partition(":")[0] not in listed]
        key = _key(request) if "upgrade" in listed else ""
        lines += _SWITCH if key else ()
    body = request.body
    if not isinstance(body, bytes):
        # Not every target reads chunks: they are for what has no known length.
        known = request.length is not None
        lines.append(f"content-length: {request.length}" if known else "transfer-encoding: chunked")
        body = b""
    elif body or request.method not in _BODILESS:
        lines.append(f"content-length: {len(body)}")
    return _bytes(lines) + body, key


class Frames:
    """The frames of a streamed body: none where its length is known, of which so much is `left`, else chunks."""

    __slots__ = ("left",)

    def __init__(self, length: int | None) -> None:
        self.left = length

    def of(self, part: bytes) -> bytes:
        """One part, in its frame; raises ValueError behind the end."""
        if self.left is None:
            return b"%x\r\n%b\r\n" % (len(part), part) if part else b""
        self.left -= len(part)
        if self.left < 0:
            raise _unequal()
        return part

    def last(self) -> bytes:
        """What follows the last part; raises ValueError before the end."""
        if self.left is None:
            return LAST_CHUNK
        if self.left:
            raise _unequal()
        return b""


def _unequal() -> ValueError:
    return ValueError("a body is not as long as its head says")


def _key(request: Request) -> str:
    """Of a WebSocket's handshake; other upgrades are not asked for."""
    if not websocket.asks(request):
        return ""
    try:
        return websocket.key_of(request)
    except Refused as refusal:
        raise unsendable() from refusal


def _bytes(lines: list[str]) -> bytes:
    """The lines, each still one line; those added here are sent unless the request has its own."""
    text = "\n".join(lines)
    # The first line holds two: the request line and the host.
    if text.count("\n") != len(lines) or "\r" in text or "\0" in text:
        raise unsendable()
    for start, line in _DEFAULTS:
        if start not in text:
            text += line
    try:
        return (text + "\n\n").replace("\n", "\r\n").encode("latin-1")
    except UnicodeEncodeError:
        raise unsendable() from None


@lru_cache(maxsize=1_000)
def _start(name: str) -> str:
    """`name: `, or nothing for a header that is not sent; raises NotSent."""
    kept = sent_name(name)
    return f"{kept}: " if kept else ""
