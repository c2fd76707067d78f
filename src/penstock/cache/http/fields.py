"""Header fields that are lists, directives, or numbers of seconds: read from whatever came, never raising."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from penstock.wire.http import Headers

Directives = Mapping[str, str | None]
"""Names in lower case; of a directive that is given twice, the first."""

MOST_SECONDS = 1 << 31
"""What RFC 9111 makes of a number of seconds that is larger."""
NONE: Directives = {}

# An open quotation reaches to the end: so nothing is ever tried twice, however long the header.
_MEMBER = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.?)*(?:"|$))+', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_KEY = re.compile(r"[a-z*][a-z0-9_.*-]*")
_INTEGER = re.compile(r"-?[0-9]{1,15}")
_ITEM = re.compile(
    r'-?[0-9]{1,15}|-?[0-9]{1,12}\.[0-9]{1,3}|\?[01]|"(?:[ !#-\[\]-~]|\\["\\])*"'
    r"|[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*"
)
_NUMERIC = frozenset({"max-age", "s-maxage", "stale-if-error", "stale-while-revalidate"})


def lines(headers: Headers, name: str) -> list[str]:
    """All values under a lower-case name, in order."""
    return [value for key, value in headers if key == name]


def members(values: list[str]) -> Iterator[str]:
    """What a comma-separated list holds, over all its lines; quotations are left as they are."""
    for value in values:
        for found in _MEMBER.finditer(value):
            if member := found[0].strip(" \t"):
                yield member


def directives(headers: Headers, name: str = "cache-control") -> Directives:
    """What Cache-Control, or a header like it, says."""
    values = lines(headers, name)
    return _read(values) if values else NONE


def control(headers: Headers) -> Directives:
    """The directives of a reply that are for this cache: those of CDN-Cache-Control (RFC 9213), or of Cache-Control."""
    return targeted(headers) or directives(headers)


def targeted(headers: Headers) -> Directives:
    """CDN-Cache-Control, if it is the Structured Field it must be; else nothing."""
    values = lines(headers, "cdn-cache-control")
    found: dict[str, str | None] = {}
    for member in members(values):
        name, given, value = member.partition(";")[0].rstrip().partition("=")
        if not _KEY.fullmatch(name) or (given and not _ITEM.fullmatch(value)):
            return NONE
        if name in _NUMERIC and not _INTEGER.fullmatch(value):
            return NONE
        found[name] = unquoted(value) if given else None
    return found


def seconds(found: Directives, name: str) -> int | None:
    """A directive's seconds; None where it is not given, 0 where it is no number."""
    if name not in found:
        return None
    return number(found[name] or "") or 0


def number(text: str) -> int | None:
    """A non-negative whole number, at most MOST_SECONDS; None for anything else."""
    if not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0")
    return min(int(digits or "0"), MOST_SECONDS) if len(digits) <= 10 else MOST_SECONDS


def unquoted(value: str) -> str:
    """The text of a quotation, or the value itself."""
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return _ESCAPED.sub(r"\1", value[1:-1])
    return value


def _read(values: list[str]) -> Directives:
    found: dict[str, str | None] = {}
    for member in members(values):
        name, given, value = member.partition("=")
        found.setdefault(name.lower(), unquoted(value) if given else None)
    return found
