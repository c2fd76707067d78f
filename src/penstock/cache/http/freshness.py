"""How long a reply may be used and how old it is: the arithmetic of RFC 9111 §4.2, done once when a reply is kept."""

from __future__ import annotations

from msgspec import Struct

from penstock.cache.http import fields
from penstock.cache.http.fields import Directives
from penstock.wire import dates
from penstock.wire.http import Headers, header

HEURISTIC_SHARE = 0.1
"""Of the time since Last-Modified, where the origin says nothing else."""
MOST_HEURISTIC_SECONDS = dates.DAY_SECONDS
UNREACHABLE_SECONDS = 60
"""How long past its time a reply may stand in for an origin that cannot be reached, unless that is forbidden."""
VALIDATED_SECONDS = dates.DAY_SECONDS
"""How long past its time a reply is kept that its origin can be asked about."""
MOST_KEPT_SECONDS = 30 * dates.DAY_SECONDS
HEURISTIC = frozenset({200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501})
"""Statuses that may be kept without being told so (RFC 9110 §15.1; a 206 is never kept)."""


class Terms(Struct, frozen=True, array_like=True):
    """What a reply allows: `age` was its age at `since` (seconds since the epoch), `lifetime` how old it may get.

    `while_revalidating` and `if_error` are the seconds after that in which it may still be served (RFC 5861); None where
    the origin named none. `checked`: never without asking its origin. `strict`: never stale. `shared`: `s-maxage` was
    given, which forbids being stale where nothing else allows it.
    """

    since: float
    age: float
    lifetime: float
    while_revalidating: int = 0
    if_error: int | None = None
    checked: bool = False
    strict: bool = False
    shared: bool = False

    def aged(self, now: float) -> float:
        """Its age, in seconds."""
        return self.age + max(0.0, now - self.since)

    def left(self, now: float) -> float:
        """Seconds of freshness left; negative once it is stale."""
        return self.lifetime - self.aged(now)

    def kept(self, now: float, validated: bool) -> float:
        """For how many seconds it is worth keeping."""
        spare = max(self.while_revalidating, self._excused(), VALIDATED_SECONDS * validated)
        return min(self.left(now) + spare, MOST_KEPT_SECONDS)

    def stands_in(self, now: float, *, reachable: bool, asked: int) -> bool:
        """Whether it may be served though its origin failed: by a 5xx (`reachable`) or by not answering.

        `asked` are the seconds that the request itself allows.
        """
        late = -self.left(now)
        if self.checked or late < 0:
            return not self.checked
        if self.strict or (self.shared and self.if_error is None):
            return False
        allowed = (self.if_error or 0) if reachable else self._excused()
        return late <= max(allowed, asked)

    def _excused(self) -> int:
        if self.if_error is not None:
            return self.if_error
        return 0 if self.shared or self.strict or self.checked else UNREACHABLE_SECONDS


def age(headers: Headers, sent: float, came: float) -> float:
    """How old a reply was when it came: by its Age, its Date, and the time it was on its way."""
    stated = fields.number((header(headers, "age") or "").partition(",")[0].strip()) or 0
    date = dates.parse(header(headers, "date") or "", came)
    apparent = came - date if date is not None else 0.0
    return max(0.0, apparent, stated + max(0.0, came - sent))


def explicit(control: Directives, headers: Headers, came: float) -> float | None:
    """The lifetime that the origin named, for a shared cache; None where it named none."""
    for name in ("s-maxage", "max-age"):
        if (found := fields.seconds(control, name)) is not None:
            return found
    expires = header(headers, "expires")
    if expires is None or fields.targeted(headers):
        return None
    until = dates.parse(expires, came)
    if until is None:
        return 0.0
    return max(0.0, until - _date(headers, came))


def heuristic(headers: Headers, came: float) -> float:
    """A lifetime where the origin named none: a tenth of the time for which the thing had not changed."""
    modified = dates.parse(header(headers, "last-modified") or "", came)
    if modified is None:
        return 0.0
    unchanged = _date(headers, came) - modified
    return min(max(0.0, unchanged * HEURISTIC_SHARE), MOST_HEURISTIC_SECONDS)


def _date(headers: Headers, came: float) -> float:
    date = dates.parse(header(headers, "date") or "", came)
    return came if date is None else date
