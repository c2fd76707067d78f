"""Heads of HTTP/1.1 messages: what a request's may be, a response's as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from penstock.errors import BadRequest, HeaderTooLarge, Refused
from penstock.wire.http import Headers

FIELDS = 200
"""Headers that one request may have."""
BODILESS = frozenset({204, 304})
_STATUS = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}
NAMES = {
    name.encode(): lower
    for lower in (
        "accept", "accept-encoding", "accept-language", "authorization", "cache-control", "connection",
        "content-encoding", "content-length", "content-type", "cookie", "expect", "host", "idempotency-key",
        "origin", "user-agent", "x-api-key", "x-forwarded-for", "x-request-id",
    )
    for name in (lower, lower.title())
}  # fmt: skip
"""Common header names in lower case, by how they are sent."""


class HeadTooSlow(Refused):
    """The request's header did not arrive in time."""

    status = 408
    code = "head_timeout"
    text = "Request Timeout"


def fault(version: str, target: bytes, fields: Sequence[tuple[str, str]]) -> Refused | None:
    """Why a head that was parsed is still no request."""
    if version not in ("1.1", "1.0"):
        return BadRequest("This server speaks HTTP/1.1.", code="invalid_http")
    if version == "1.0" and any(name == "transfer-encoding" for name, _ in fields):
        return BadRequest("HTTP/1.0 knows no transfer-encoding.", code="invalid_http")
    hosts = [name for name, _ in fields].count("host")
    if hosts > 1 or (not hosts and version == "1.1"):
        return BadRequest("Send exactly one Host header.", code="invalid_header")
    if not target.startswith(b"/") and _names_another(target, fields):
        return BadRequest("The request's URL and its Host name two hosts.", code="invalid_header")
    if len(fields) > FIELDS:
        return HeaderTooLarge("The request has more headers than this server takes.")
    return None


def _names_another(target: bytes, fields: Sequence[tuple[str, str]]) -> bool:
    """Whether an absolute URL and the Host header differ: what stands behind us could believe either."""
    _, absolute, rest = target.decode("latin-1").lower().partition("://")
    place = rest.partition("/")[0].partition("?")[0]
    return bool(absolute) and any(
        name == "host" and value.lower() != place for name, value in fields
    )


def head_of(status: int, headers: Headers, date: bytes, more: Sequence[bytes]) -> bytes:
    """A response's head; `more` are whole header lines, and `date` one for a response that has none of its own.

    Raises ValueError for a header that would end early.
    """
    lines = "\r\n".join([f"{name}: {value}" for name, value in headers])
    # Nobody's value may begin a header of its own.
    if lines.count("\n") >= max(1, len(headers)) or lines.count("\r") >= max(1, len(headers)):
        raise ValueError("a header of the reply holds a line end")
    begin = _STATUS.get(status) or b"HTTP/1.1 %d \r\n" % status
    if "\ndate: " in lines or lines.startswith("date: "):
        date = b""
    end = b"\r\n" if headers else b""
    return b"".join((begin, lines.encode("latin-1"), end, date, *more, b"\r\n"))
