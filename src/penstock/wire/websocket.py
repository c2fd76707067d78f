"""WebSockets as a tunnel needs them: the handshake of RFC 6455 §4 and its answer. What passes after it is never looked at."""

from __future__ import annotations

import binascii
from base64 import b64encode
from hashlib import sha1

from penstock.errors import BadRequest, WrongVersion
from penstock.wire.http import Headers, Request, Timeouts

SWITCHING = 101
VERSION = "13"
KEY_BYTES = 16
TIMES = Timeouts(idle=300.0, total=86_400.0)
"""What bounds a handshake and its tunnel where the request does not say: `idle` is silence both ways."""
SWITCH = (("connection", "Upgrade"), ("upgrade", "websocket"))
"""What a hop says to the next to have a handshake; all else of it passes."""
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def asks(request: Request) -> bool:
    """Whether a request asks to become a WebSocket, in a sound handshake or not."""
    return request.method == "GET" and switches(request.headers)


def switches(headers: Headers) -> bool:
    """Whether the headers of either side name the protocol and the hop it is for."""
    named = "websocket" in tokens(headers, "upgrade")
    return named and "upgrade" in tokens(headers, "connection")


def key_of(request: Request) -> str:
    """The handshake's key, where all that RFC 6455 asks of a client is there; raises BadRequest, WrongVersion."""
    versions = _all(request.headers, "sec-websocket-version")
    if versions != [VERSION]:
        raise WrongVersion(headers=(("sec-websocket-version", VERSION),))
    keys = _all(request.headers, "sec-websocket-key")
    if len(keys) != 1 or not _is_key(keys[0]):
        raise _invalid("Send one Sec-WebSocket-Key: 16 bytes in base64.")
    framed = _all(request.headers, "transfer-encoding") or request.header("content-length")
    if request.body != b"" or framed not in ([], None, "0"):
        raise _invalid("A WebSocket's handshake has no body.")
    return keys[0]


def accept_of(key: str) -> str:
    """What proves that a handshake with this key was understood."""
    return b64encode(sha1(key.encode("latin-1") + _GUID, usedforsecurity=False).digest()).decode()


def proves(headers: Headers, key: str) -> bool:
    """Whether an answer's headers hold that proof, once."""
    return _all(headers, "sec-websocket-accept") == [accept_of(key)]


def tokens(headers: Headers, name: str) -> set[str]:
    """All elements of a list header, in lower case."""
    values = [value.lower() for key, value in headers if key.lower() == name]
    return {token.strip(" \t") for value in values for token in value.split(",")}


def _all(headers: Headers, name: str) -> list[str]:
    return [value.strip(" \t") for key, value in headers if key.lower() == name]


def _is_key(text: str) -> bool:
    try:
        return len(binascii.a2b_base64(text.encode("ascii"), strict_mode=True)) == KEY_BYTES
    except (ValueError, UnicodeEncodeError):
        return False


def _invalid(message: str) -> BadRequest:
    return BadRequest(message, code="invalid_websocket")
