"""Replies from what is kept: whole, a part, or that nothing has changed; each says how it came about (RFC 9211)."""

from __future__ import annotations

from penstock.cache.http import conditions, fields, ranges
from penstock.cache.http.entries import Entry
from penstock.cache.http.rules import Rules
from penstock.cache.http.states import Why
from penstock.wire.http import Headers, Request, Response, header

NAME = "penstock"
REFUSED = f"{NAME}; fwd=request; detail=only-if-cached"
ABOUT_A_BODY = frozenset(
    {"content-digest", "content-encoding", "content-language", "content-length", "content-md5",
     "content-range", "content-type", "transfer-encoding"}
)  # fmt: skip
"""What a 304 leaves out: its receiver has it."""


def hit(terms_left: float) -> str:
    """`penstock; hit; ttl=30`, negative where it is stale."""
    return f"{NAME}; hit; ttl={int(terms_left)}"


def forwarded(
    why: Why, *, status: int = 0, stored: bool = False, collapsed: bool = False, detail: str = ""
) -> str:
    """`penstock; fwd=stale; fwd-status=304; stored`."""
    parts = [NAME, f"fwd={why}"]
    if status:
        parts.append(f"fwd-status={status}")
    parts += [word for word, said in (("stored", stored), ("collapsed", collapsed)) if said]
    if detail:
        parts.append(f"detail={detail}")
    return "; ".join(parts)


def with_status(headers: Headers, status: str) -> list[tuple[str, str]]:
    """The headers with our member of Cache-Status behind those of caches nearer to the origin."""
    earlier = fields.lines(headers, "cache-status")
    if not earlier:
        return [*headers, ("cache-status", status)]
    rest = [pair for pair in headers if pair[0] != "cache-status"]
    return [*rest, ("cache-status", ", ".join([*earlier, status]))]


def served(request: Request, entry: Entry, settings: Rules, now: float, status: str) -> Response:
    """What a request gets of an entry. The body of a reply to HEAD is there for its length: the server leaves it out."""
    headers = [*entry.headers_out(settings), ("age", str(int(entry.terms.aged(now))))]
    headers = with_status(headers, status)
    if conditions.plain(request):
        return Response(entry.status, headers, entry.body)
    came = entry.terms.since
    if conditions.not_modified(request, entry.status, entry.headers, came):
        return unchanged(headers)
    wanted = header(request.headers, "range")
    if wanted is None or request.method != "GET" or entry.status != 200:
        return Response(entry.status, headers, entry.body)
    if not conditions.in_range(request, entry.headers, came):
        return Response(entry.status, headers, entry.body)
    return _part(wanted, headers, entry.body)


def unchanged(headers: Headers) -> Response:
    """304."""
    return Response(304, [pair for pair in headers if pair[0] not in ABOUT_A_BODY])


def refused() -> Response:
    """504: nothing is kept, and the request wants nothing else."""
    said = "Nothing is kept of this that only-if-cached may have. Ask without it.\n"
    headers = [("content-type", "text/plain; charset=utf-8"), ("cache-status", REFUSED)]
    return Response(504, headers, said.encode())


def _part(wanted: str, headers: list[tuple[str, str]], body: bytes) -> Response:
    part = ranges.part(wanted, len(body))
    if part is None:
        return Response(200, headers, body)
    named = ("content-range", ranges.content_range(part, len(body)))
    if part == ranges.NOWHERE:
        rest = [pair for pair in headers if pair[0] not in ABOUT_A_BODY]
        return Response(416, [*rest, named], b"")
    return Response(206, [*headers, named], body[part[0] : part[1]])
