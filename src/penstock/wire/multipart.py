"""Forms with a file, as browsers and `curl -F` send them (RFC 7578): strict, bounded, in one pass over the bytes."""

from __future__ import annotations

import re

from msgspec import Struct

from penstock.errors import BadRequest

MOST_PARTS = 16
MOST_HEAD_BYTES = 2_048
"""Of one part's headers."""
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PARAMETER = re.compile(r';\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s";]+))\s*')
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")


class Part(Struct, frozen=True):
    """One field; a file has a `filename`, empty where its sender gave none."""

    name: str
    data: bytes
    filename: str | None = None
    declared: str = ""


def is_form(content_type: str) -> bool:
    """Whether a body says that it is one."""
    return content_type.partition(";")[0].strip().lower() == "multipart/form-data"


def parts(body: bytes, content_type: str) -> list[Part]:
    """The fields in order, none named twice; raises BadRequest."""
    mark = b"--" + _boundary(content_type)
    if not body.startswith(mark):
        raise _bad("it does not begin with its boundary")
    found: list[Part] = []
    place = len(mark)
    while body[place : place + 2] != b"--":
        if len(found) == MOST_PARTS:
            raise _bad(f"it has more than {MOST_PARTS} parts")
        end = _end(body, place, b"\r\n" + mark)
        found.append(_part(body, place + 2, end))
        place = end + 2 + len(mark)
    if body[place + 2 :].strip():
        raise _bad("something stands behind its last boundary")
    if len({part.name for part in found}) != len(found):
        raise BadRequest("The form names a field twice.", code="duplicate_field")
    return found


def _boundary(content_type: str) -> bytes:
    boundary = _parameters(content_type.partition(";")[1:]).get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise _bad("its content-type has no boundary")
    return boundary.encode()


def _end(body: bytes, place: int, mark: bytes) -> int:
    """Where the part ends that begins behind the boundary before this place."""
    end = body.find(mark, place)
    if body[place : place + 2] != b"\r\n" or end < 0:
        raise _bad("a boundary is cut short, or the last one is missing")
    return end


def _part(body: bytes, start: int, end: int) -> Part:
    """The part whose headers begin at `start`; `end` is where its data does."""
    blank = body.find(b"\r\n\r\n", start, min(end, start + MOST_HEAD_BYTES))
    if blank < 0:
        raise _bad(f"a part's headers do not end within {MOST_HEAD_BYTES} bytes")
    headers = _headers(body[start:blank])
    kind, *rest = headers.get("content-disposition", "").partition(";")
    named = _parameters((rest[0], rest[1]))
    name = named.get("name")
    if kind.strip().lower() != "form-data" or name is None:
        raise _bad("a part has no name")
    encoding = headers.get("content-transfer-encoding", "binary").lower()
    if encoding not in ("binary", "8bit", "7bit"):
        raise _bad("a part is encoded: send its bytes as they are")
    declared = headers.get("content-type", "")
    return Part(name, body[blank + 4 : end], named.get("filename"), declared)


def _headers(head: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    try:
        lines = head.decode().split("\r\n")
    except UnicodeDecodeError as error:
        raise _bad("a part's headers are not UTF-8") from error
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or not _TOKEN.fullmatch(name) or name in found or not _printable(value):
            raise _bad("a part's headers are malformed")
        found[name] = value.strip()
    return found


def _printable(value: str) -> bool:
    return all(char >= " " and char != "\x7f" for char in value.replace("\t", " "))


def _parameters(rest: tuple[str, str] | tuple[str, ...]) -> dict[str, str]:
    """What stands behind a header's first word, the separator first; names in lower case."""
    text, found, place = "".join(rest), dict[str, str](), 0
    while place < len(text):
        one = _PARAMETER.match(text, place)
        if one is None or (name := one[1].lower()) in found:
            raise _bad("a parameter is malformed or stands twice")
        # Browsers write a quote as %22 and let a backslash be one, as in C:\reports.
        found[name] = one[3] if one[2] is None else one[2].replace('\\"', '"')
        place = one.end()
    return found


def _bad(why: str) -> BadRequest:
    return BadRequest(f"The form cannot be read: {why}.", code="invalid_form")
