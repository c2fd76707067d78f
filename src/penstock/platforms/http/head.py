"""The head of a reply: what the core gets of it, and what it says of the body and the connection."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache

from penstock.platforms.outbound import MOST_BYTES, MOST_FIELDS, UNTOLD
from penstock.wire import websocket

Fields = list[tuple[bytes, bytes]]
"""Names and values as the parser brings them."""

_EMPTY_STATUSES = frozenset({204, 304})


class BadHead(Exception):
    """A head that must not be believed: too large, or unclear about where its body ends."""


class _Role(Enum):
    PLAIN = auto()
    STRIPPED = auto()
    COOKIE = auto()
    CONNECTION = auto()
    CODING = auto()
    LENGTH = auto()
    PACKING = auto()
    KEPT = auto()


_ROLES = {
    "connection": _Role.CONNECTION,
    "transfer-encoding": _Role.CODING,
    "content-length": _Role.LENGTH,
    "content-encoding": _Role.PACKING,
    "keep-alive": _Role.KEPT,
    "set-cookie": _Role.COOKIE,
    "set-cookie2": _Role.COOKIE,
}
_TOLD = frozenset({_Role.LENGTH, _Role.PACKING})
_TOLD_VERBATIM = _TOLD | {_Role.COOKIE}


@dataclass(slots=True)
class Head:
    """`length` is None where the head does not say; `kept` are the seconds for which the target offers to wait."""

    status: int
    headers: list[tuple[str, str]]
    length: int | None = None
    chunked: bool = False
    packing: str = ""
    kept: float | None = None
    listed: frozenset[str] = frozenset()

    @property
    def until_close(self) -> bool:
        """Whether the body ends only where the connection does."""
        return not self.chunked and self.length is None and self.status not in _EMPTY_STATUSES

    def unpacked(self) -> list[tuple[str, str]]:
        """The headers once the body is no longer packed."""
        packed = ("content-encoding", "content-length")
        return [pair for pair in self.headers if pair[0] not in packed]


def read(status: int, fields: Fields, *, verbatim: bool = False) -> Head:
    """A head in the core's words, without hop-by-hop headers and, unless `verbatim`, cookies; raises BadHead."""
    told = _TOLD_VERBATIM if verbatim else _TOLD
    headers: list[tuple[str, str]] = []
    head = Head(status, headers)
    size = 0
    for raw, value in fields:
        size += len(raw) + len(value)
        name, role = _known(raw)
        if role is not _Role.PLAIN:
            _note(head, role, value)
            if role not in told:
                continue
        headers.append((name, value.decode("latin-1")))
    if size > MOST_BYTES or len(fields) > MOST_FIELDS or (head.chunked and head.length is not None):
        raise BadHead
    if verbatim:
        head.packing = ""  # unpacking it is for whoever reads it
    if head.listed:
        head.headers = [pair for pair in headers if pair[0] not in head.listed]
    return head


def interim(status: int, fields: Fields) -> None:
    """Checks a 1xx that is passed over: it must have no body, and must not change the protocol. Raises BadHead."""
    head = read(status, fields)
    if status < 100 or status == 101 or head.chunked or head.length:
        raise BadHead


def switching(fields: Fields, key: str, *, verbatim: bool = False) -> Head:
    """The head of a 101 that was asked for with this key; raises BadHead where it is no answer to that."""
    named = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]
    head = read(websocket.SWITCHING, fields, verbatim=verbatim)
    framed = head.chunked or head.length is not None
    if framed or not (websocket.switches(named) and websocket.proves(head.headers, key)):
        raise BadHead
    return head


@lru_cache(maxsize=1_000)
def _known(raw: bytes) -> tuple[str, _Role]:
    name = raw.decode("latin-1").lower()
    return name, _ROLES.get(name, _Role.STRIPPED if name in UNTOLD else _Role.PLAIN)


def _note(head: Head, role: _Role, value: bytes) -> None:
    match role:
        case _Role.LENGTH:
            head.length = _length(head, value)
        case _Role.CODING:
            if head.chunked or value.lower() != b"chunked":
                raise BadHead
            head.chunked = True
        case _Role.PACKING:
            packing = value.decode("latin-1").lower()
            head.packing = "" if packing == "identity" else packing
        case _Role.CONNECTION:
            names = value.decode("latin-1").lower().split(",")
            head.listed |= frozenset(name.strip() for name in names)
        case _Role.KEPT:
            head.kept = _seconds(value)
        case _:
            pass


def _length(head: Head, value: bytes) -> int:
    if head.length is not None or not value.isdigit() or len(value) > 18:
        raise BadHead
    return int(value)


def _seconds(value: bytes) -> float | None:
    """`timeout=5, max=100` -> 5.0; None where there is no such number."""
    for part in value.lower().split(b","):
        name, _, number = part.strip().partition(b"=")
        if name == b"timeout" and number.isdigit():
            return float(number[:9])
    return None
