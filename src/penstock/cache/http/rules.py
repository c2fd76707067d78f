"""What may be kept of a reply, and what a route's own settings make of it (RFC 9111 §3)."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from penstock.cache.http import fields, freshness
from penstock.cache.http.fields import Directives
from penstock.cache.http.freshness import Terms
from penstock.wire import sse
from penstock.wire.http import Headers, Request, header

ENTRY_BYTES = 1 << 20
CREDENTIALS = ("authorization", "x-api-key", "x-refresh-token")
UNDERSTOOD = frozenset(
    {200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413,
     414, 415, 416, 417, 421, 422, 426, 428, 429, 431, 451, 500, 501, 502, 503, 504, 505, 511}
)  # fmt: skip
"""Statuses whose rules are kept here, which is what `must-understand` asks."""
UNKEPT = frozenset(
    {"age", "connection", "content-length", "keep-alive", "proxy-authenticate", "proxy-authentication-info",
     "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)  # fmt: skip
"""Headers of this hop, and those that are worked out anew each time a reply is used."""
PERMITS = ("public", "must-revalidate", "s-maxage")
"""One of these lets a shared cache keep what was asked with a credential (§3.5)."""
_STAYS = ("must-revalidate", "proxy-revalidate", "no-transform", "immutable", "public")


class Rules(Struct, frozen=True):
    """A route's settings.

    `ttl` (seconds) replaces the freshness that the origin gives its 200s; None leaves it to the origin. `key`: "owner"
    keeps an entry for each owner, "shared" one for all.
    """

    name: str
    ttl: int | None = None
    stale_while_revalidate: int | None = None
    key: Literal["owner", "shared"] = "owner"
    max_bytes: int = ENTRY_BYTES
    """The most that a kept body may have."""


class Came(Struct, frozen=True):
    """The head of a reply from the origin, and when it was asked for and came (seconds since the epoch)."""

    status: int
    headers: Headers
    sent: float
    at: float


def terms(request: Request, came: Came, rules: Rules, *, owned: bool) -> Terms | None:
    """What a reply may be used for; None where it must not be kept, or is of no use later.

    `owned`: it would be kept for the request's own owner alone, which §3.5 does not concern.
    """
    control = fields.control(came.headers)
    if not (_permitted(request, came, control) and (owned or _shareable(request, control))):
        return None
    guess = owned or not _personal(request, came)
    if ruled(request, came, rules, owned=owned):
        found: Terms | None = _ruled(came, rules)
    else:
        found = _given(came, control, guess=guess)
    if found is None or not (found.left(came.at) > 0 or validated(came.headers)):
        return None
    return None if found.checked and not validated(came.headers) else found


def ruled(request: Request, came: Came, rules: Rules, *, owned: bool) -> bool:
    """Whether the route's own lifetime goes before the origin's. What may be somebody's own is never made to last, nor
    are events: who asks for them later wants later ones."""
    if rules.ttl is None or came.status != 200 or header(came.headers, "set-cookie") is not None:
        return False
    if (header(came.headers, "content-type") or "").lower().startswith(sse.TYPE):
        return False
    if not owned and rules.key == "owner" and header(request.headers, "cookie") is not None:
        return False
    own = (fields.directives(came.headers), fields.targeted(came.headers))
    return not any("private" in control or "no-store" in control for control in own)


def told(headers: Headers, rules: Rules, *, owned: bool) -> list[tuple[str, str]]:
    """The headers with which a reply goes out whose lifetime is the route's."""
    control = fields.directives(headers)
    words = ["private"] if owned else []
    words.append(f"max-age={rules.ttl}")
    if rules.stale_while_revalidate is not None:
        words.append(f"stale-while-revalidate={rules.stale_while_revalidate}")
    words += [word for word in _STAYS if word in control and not (owned and word == "public")]
    replaced = ("cache-control", "cdn-cache-control", "expires", "pragma")
    rest = [pair for pair in headers if pair[0] not in replaced]
    return [*rest, ("cache-control", ", ".join(words))]


def kept(headers: Headers) -> list[tuple[str, str]]:
    """The headers that are kept: none of this hop's, none that the origin wants asked for again each time."""
    control = fields.directives(headers)
    named = {"no-cache": control.get("no-cache"), "private": control.get("private")}
    dropped = {*UNKEPT, *_names(fields.lines(headers, "connection"))}
    dropped.update(*(_names([value]) for value in named.values() if value))
    return [pair for pair in headers if pair[0] not in dropped]


def validated(headers: Headers) -> bool:
    """Whether its origin can be asked if it still holds."""
    return any(name in ("etag", "last-modified") for name, _ in headers)


def _permitted(request: Request, came: Came, control: Directives) -> bool:
    if request.method != "GET" or not 200 <= came.status <= 599 or came.status in (206, 304):
        return False
    if "no-store" in fields.directives(request.headers):
        return False
    if "must-understand" in control:
        if came.status not in UNDERSTOOD:
            return False
    elif "no-store" in control:
        return False
    # `private="name"` concerns that header alone.
    private = "private" in control and not control["private"]
    return not private and "*" not in vary(came.headers)


def _personal(request: Request, came: Came) -> bool:
    """Whether a cookie went either way: a guess must not hand one visitor's page to the next."""
    one, other = header(request.headers, "cookie"), header(came.headers, "set-cookie")
    return one is not None or other is not None


def _shareable(request: Request, control: Directives) -> bool:
    asked = any(name in CREDENTIALS for name, _ in request.headers)
    return not asked or any(name in control for name in PERMITS)


def _given(came: Came, control: Directives, *, guess: bool) -> Terms | None:
    """By the origin's own words, or, with `guess`, by its Last-Modified where it has none."""
    lifetime = freshness.explicit(control, came.headers, came.at)
    if lifetime is None:
        if came.status not in freshness.HEURISTIC and "public" not in control:
            return None
        lifetime = freshness.heuristic(came.headers, came.at) if guess else 0.0
    return Terms(
        since=came.at,
        age=freshness.age(came.headers, came.sent, came.at),
        lifetime=lifetime,
        while_revalidating=fields.seconds(control, "stale-while-revalidate") or 0,
        if_error=fields.seconds(control, "stale-if-error"),
        checked="no-cache" in control and not control["no-cache"],
        strict="must-revalidate" in control or "proxy-revalidate" in control,
        shared="s-maxage" in control,
    )


def _ruled(came: Came, rules: Rules) -> Terms:
    control = fields.directives(came.headers)
    return Terms(
        since=came.at,
        age=max(0.0, came.at - came.sent),
        lifetime=rules.ttl or 0,
        while_revalidating=rules.stale_while_revalidate or 0,
        if_error=fields.seconds(control, "stale-if-error"),
        strict="must-revalidate" in control or "proxy-revalidate" in control,
    )


def vary(headers: Headers) -> list[str]:
    """The request headers that a reply was chosen by, in lower case, each once, in order; `*` where nobody knows."""
    values = fields.lines(headers, "vary")
    return sorted({name.lower() for name in fields.members(values)}) if values else []


def _names(values: list[str]) -> list[str]:
    return [name.strip(" \t").lower() for value in values for name in value.split(",")]
