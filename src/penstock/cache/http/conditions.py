"""Conditions of a request, as a cache answers them from what it keeps (RFC 9110 §13, RFC 9111 §4.3)."""

from __future__ import annotations

import re

from penstock.cache.http import fields
from penstock.wire import dates
from penstock.wire.http import Headers, Request, header

OURS = frozenset({"if-modified-since", "if-none-match", "if-range", "range"})
"""What a cache takes out of a request to ask about its own entry instead."""
ORIGINS = frozenset(
    {"if-match", "if-unmodified-since", "x-http-method", "x-http-method-override", "x-method-override"}
)  # fmt: skip
"""What only the origin can answer, and what makes some of them read another method than is written."""

_TAG = re.compile(r'(?:[Ww]/)?("[^"]*"|[^",\s]+)')


def plain(request: Request) -> bool:
    """Whether the request wants the whole thing, whatever its sender has already."""
    return OURS.isdisjoint([name for name, _ in request.headers])


def not_modified(request: Request, status: int, headers: Headers, came: float) -> bool:
    """Whether 304 says it all."""
    if status != 200:
        return False
    tags = fields.lines(request.headers, "if-none-match")
    if tags:
        return _matched(", ".join(tags), header(headers, "etag"))
    since = header(request.headers, "if-modified-since")
    return since is not None and _unchanged(since, headers, came)


def in_range(request: Request, headers: Headers, came: float) -> bool:
    """Whether If-Range lets a part stand for the whole: by a strong tag, or the very date."""
    wanted = header(request.headers, "if-range")
    if wanted is None:
        return True
    wanted = wanted.strip()
    if wanted.startswith('"'):
        return wanted == header(headers, "etag")
    modified = header(headers, "last-modified")
    if modified is None or dates.parse(wanted, came) != dates.parse(modified, came):
        return False
    date, changed = dates.parse(header(headers, "date") or "", came), dates.parse(modified, came)
    # Twice in one second it may have changed: a date is strong only where that is past.
    return date is not None and changed is not None and date > changed


def asking(headers: Headers) -> list[tuple[str, str]]:
    """The conditions that ask an origin whether its reply with these headers still holds."""
    found = []
    if (tag := header(headers, "etag")) is not None:
        found.append(("if-none-match", tag))
    if (modified := header(headers, "last-modified")) is not None:
        found.append(("if-modified-since", modified))
    return found


def about(request: Request, headers: Headers) -> list[tuple[str, str]]:
    """A request's headers with these conditions in place of its own."""
    rest = [pair for pair in request.headers if pair[0] not in OURS]
    return rest + asking(headers)


def same(one: Headers, other: Headers) -> bool:
    """Whether two heads can be of one representation: a strong tag must be the very same where both have one."""
    tags = header(one, "etag"), header(other, "etag")
    return None in tags or _opaque(tags[0] or "") == _opaque(tags[1] or "")


def _matched(wanted: str, tag: str | None) -> bool:
    """The weak comparison."""
    if wanted.strip() == "*":
        return True
    return tag is not None and _opaque(tag) in {one[1] for one in _TAG.finditer(wanted)}


def _opaque(tag: str) -> str:
    """A tag without its weakness."""
    tag = tag.strip()
    return tag[2:] if tag[:2] in ("W/", "w/") else tag


def _unchanged(since: str, headers: Headers, came: float) -> bool:
    """By Last-Modified, else by when it was made."""
    modified = header(headers, "last-modified")
    if modified is not None and modified == since:
        return True
    asked = dates.parse(since, came)
    stated = dates.parse(modified or header(headers, "date") or "", came)
    return asked is not None and (came if stated is None else stated) <= asked
