"""What becomes of a request: a small machine that decides and does nothing (RFC 9111 §4, RFC 5861).

begin ─► Pass                                         not for a cache
      ─► Serve                                        from what is kept, perhaps asking the origin behind it
      ─► Refuse                                       only-if-cached, and nothing is
      ─► Miss ──────┐
      ─► Validate ──┴─► answered ─► Freshen           304: it still holds
                    │            ─► Instead           a 5xx: the stale one stands in
                    │            ─► Relay             the origin's reply, to be kept or not
                    └─► failed   ─► Instead | None    no reply at all
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from penstock.cache.http import conditions, fields, rules
from penstock.cache.http.entries import Entry, merged
from penstock.cache.http.freshness import Terms
from penstock.cache.http.rules import Came, Rules
from penstock.wire.http import Request

Why = Literal["method", "bypass", "request", "uri-miss", "vary-miss", "stale"]
"""Why a request is forwarded, in the words of RFC 9211."""

SAFE = frozenset(
    {"GET", "HEAD", "OPTIONS", "PROPFIND", "QUERY", "REPORT", "SEARCH", "TRACE"}
)  # fmt: skip
"""Methods that change nothing; any other, known or not, takes back what is kept of its URL."""
FAILURES = frozenset({500, 502, 503, 504})
"""Statuses instead of which a stale reply may be served (RFC 5861 §4)."""


class Wish(Struct, frozen=True):
    """What a request's own Cache-Control asks, in seconds. `max_stale` is 0 where it takes nothing stale."""

    no_cache: bool = False
    no_store: bool = False
    only_if_cached: bool = False
    max_age: int | None = None
    min_fresh: int = 0
    max_stale: int = 0
    if_error: int = 0


class Pass(Struct, frozen=True):
    """The cache has no part in it."""

    why: Why


class Serve(Struct, frozen=True):
    """From what is kept; `refresh`: it is stale, and its origin is asked behind the reply."""

    entry: Entry
    refresh: bool = False


class Refuse(Struct, frozen=True):
    """504: the request wants nothing but what is kept."""


class Miss(Struct, frozen=True):
    """There is nothing to serve."""

    why: Why


class Validate(Struct, frozen=True):
    """The origin is asked whether what is kept still holds."""

    entry: Entry
    why: Why


class Freshen(Struct, frozen=True):
    """It holds, with what its origin says anew; `terms` is None where it must be kept no longer."""

    entry: Entry
    came: Came
    terms: Terms | None


class Instead(Struct, frozen=True):
    """Stale, for want of better."""

    entry: Entry


class Relay(Struct, frozen=True):
    """The origin's reply goes out; it is kept where it has terms."""

    terms: Terms | None


UNSAID = Wish()


def wish(request: Request) -> Wish:
    """What the request asks of caches."""
    said = fields.directives(request.headers)
    if not said:
        return UNSAID
    stale = fields.seconds(said, "max-stale") or 0
    return Wish(
        no_cache="no-cache" in said,
        no_store="no-store" in said,
        only_if_cached="only-if-cached" in said,
        max_age=fields.seconds(said, "max-age"),
        min_fresh=fields.seconds(said, "min-fresh") or 0,
        # Without a number: however stale.
        max_stale=fields.MOST_SECONDS if said.get("max-stale", "") is None else stale,
        if_error=fields.seconds(said, "stale-if-error") or 0,
    )


def passed(request: Request, asked: Wish) -> Pass | None:
    """Whether the request is nothing for a cache, before anything is looked up."""
    if request.method not in ("GET", "HEAD"):
        return Pass("method")
    if asked.no_store:
        return Pass("request")
    if request.body != b"":
        return Pass("bypass")
    free = conditions.ORIGINS.isdisjoint([name for name, _ in request.headers])
    return None if free else Pass("bypass")


def begin(
    request: Request, asked: Wish, entry: Entry | None, now: float, *, varied: bool
) -> Serve | Refuse | Miss | Validate:
    """What is done first, with what was found."""
    if entry is not None and not asked.no_cache and _serves(entry.terms, asked, now):
        return Serve(entry)
    if entry is not None and _meanwhile(entry.terms, asked, now):
        return Serve(entry, refresh=True)
    if asked.only_if_cached:
        return Refuse()
    if entry is None:
        return Miss("request" if asked.no_cache else "vary-miss" if varied else "uri-miss")
    why: Why = "request" if entry.terms.left(now) > 0 and not entry.terms.checked else "stale"
    if request.method == "HEAD" or not rules.validated(entry.headers):
        return Miss(why)
    return Validate(entry, why)


def answered(
    request: Request, asked: Wish, entry: Entry | None, came: Came, settings: Rules,
    *, asked_about: bool, owned: bool,
) -> Freshen | Instead | Relay:  # fmt: skip
    """What is done with the origin's reply; `asked_about`: the entry's own conditions were sent."""
    if entry is not None:
        if came.status == 304 and asked_about:
            return _freshen(request, entry, came, settings, owned=owned)
        stale = entry.terms.stands_in(came.at, reachable=True, asked=asked.if_error)
        if came.status in FAILURES and not asked.no_cache and stale:
            return Instead(entry)
    return Relay(rules.terms(request, came, settings, owned=owned))


def failed(asked: Wish, entry: Entry | None, now: float) -> Instead | None:
    """What is served where the origin gave no reply; None: its failure is told."""
    if entry is None or asked.no_cache:
        return None
    stale = entry.terms.stands_in(now, reachable=False, asked=asked.if_error)
    return Instead(entry) if stale else None


def _serves(terms: Terms, asked: Wish, now: float) -> bool:
    if terms.checked or (asked.max_age is not None and terms.aged(now) > asked.max_age):
        return False
    left = terms.left(now)
    if left > 0 and left >= asked.min_fresh:
        return True
    forbidden = terms.strict or terms.shared or asked.min_fresh
    return asked.max_stale > 0 and -left <= asked.max_stale and not forbidden


def _meanwhile(terms: Terms, asked: Wish, now: float) -> bool:
    """Whether `stale-while-revalidate` lets it be served once more."""
    if terms.checked or terms.strict or asked.no_cache or asked.min_fresh:
        return False
    if asked.max_age is not None and terms.aged(now) > asked.max_age:
        return False
    return 0 <= -terms.left(now) < terms.while_revalidating


def _freshen(
    request: Request, entry: Entry, came: Came, settings: Rules, *, owned: bool
) -> Freshen:
    """A 304 is about this entry, unless it names another by a strong tag: then nothing is learnt from it."""
    if not conditions.same(entry.headers, came.headers):
        return Freshen(entry, Came(entry.status, entry.headers, came.sent, came.at), entry.terms)
    return renewed(request, entry, came, settings, owned=owned)


def renewed(request: Request, entry: Entry, came: Came, settings: Rules, *, owned: bool) -> Freshen:
    """The entry with the headers of a 304, or of a reply to HEAD, and what it may now be used for."""
    headers = merged(entry, came.headers)
    age = [pair for pair in came.headers if pair[0] == "age"]
    new = Came(entry.status, [*headers, *age], came.sent, came.at)
    return Freshen(entry, new, rules.terms(request, new, settings, owned=owned))
