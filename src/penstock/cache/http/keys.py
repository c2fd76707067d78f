"""Where a reply is kept: keyed hashes of who may have it, what was asked, and the numbers that a purge raises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from urllib.parse import urljoin, urlsplit

from msgspec import Struct

from penstock.cache.generations import of_key
from penstock.cache.http import fields, rules
from penstock.wire.http import Headers, Request, header

KIND = "http"
MOST_TAGS = 64
TAG_CHARACTERS = 128
_LISTS = frozenset({"accept", "accept-encoding", "accept-language"})
"""Selecting headers whose case means nothing."""


class Place(Struct, frozen=True):
    """Where the replies to a request are kept.

    `name` in the store; `url` and `partition` are compared on a hit; `mark` is where an invalidation of the URL is
    noted, for all owners; `numbers` are the generations as the request found them.
    """

    name: str
    url: str
    partition: str
    mark: str
    numbers: Mapping[str, int]

    @property
    def owned(self) -> bool:
        return self.partition != ""


def place(
    request: Request, owner: str, settings: rules.Rules, secret: bytes, numbers: Mapping[str, int]
) -> Place:
    """The place of a request; `owner` is empty where nobody in particular asks, or all share."""
    url, scope = _url(request), request.target.decode("latin-1")
    number = of_key(numbers, KIND, owner, settings.name)
    if numbers:
        number += b",%d" % numbers.get(f"url:{scope}", 0)
    name = _hashed(secret, "entry", settings.name, owner, url, number.decode())
    return Place(f"{KIND}:{name}", url, owner, mark(request, secret), numbers)


def mark(request: Request, secret: bytes, target: str | None = None) -> str:
    """Where it is noted that what is kept of a request's URL, or of another target of its host, counts no more."""
    return f"{KIND}-mark:{_hashed(secret, 'mark', _url(request, target))}"


def affected(request: Request, headers: Headers) -> Iterator[str]:
    """The targets that an unsafe request has changed: its own, and those of this host that its reply names."""
    own = request.target.decode("latin-1")
    yield own
    host = (header(request.headers, "host") or "").lower()
    for name in ("location", "content-location"):
        named = header(headers, name)
        if named and (found := _resolved(f"http://{host}", own, named)):
            yield found


def selected(request: Request, names: list[str], secret: bytes) -> str:
    """What a request says in these headers, as one hash: equal where a reply that varies by them may serve both."""
    if not names:
        return ""
    said = (f"{name}\0{_said(request.headers, name)}" for name in names)
    return _hashed(secret, "variant", *said)


def tags(headers: Headers) -> list[str]:
    """The names under which a reply can be purged: Cache-Tag, parted by commas, and Surrogate-Key, by spaces."""
    found = [*fields.members(fields.lines(headers, "cache-tag"))]
    for value in fields.lines(headers, "surrogate-key"):
        found += value.split()
    return [tag for tag in dict.fromkeys(found) if len(tag) <= TAG_CHARACTERS][:MOST_TAGS]


def of_tags(numbers: Mapping[str, int], found: list[str]) -> int:
    """The number that a reply with these tags carries: a purge by one of them changes it."""
    if not numbers:
        return 0
    return sum(numbers.get(f"tag:{tag}", 0) for tag in found)


def _url(request: Request, target: str | None = None) -> str:
    """Host and target. The host as it was sent: what another made of the same target is nobody else's reply."""
    host = (header(request.headers, "host") or "").lower()
    return f"{host} {request.target.decode('latin-1') if target is None else target}"


def _resolved(base: str, own: str, named: str) -> str | None:
    """A reference as a target of this host, or None if it names another's."""
    try:
        found = urlsplit(urljoin(base + own, named))
    except ValueError:
        return None
    if found.netloc.lower() != urlsplit(base).netloc:
        return None
    return f"{found.path or '/'}?{found.query}" if found.query else found.path or "/"


def _said(headers: Headers, name: str) -> str:
    """A header's value without what means nothing: how its lines and blanks are set, and case where that is so."""
    values = fields.lines(headers, name)
    if not values:
        return "\0"
    said = ",".join(fields.members(values))
    return said.lower().replace(" ", "") if name in _LISTS else said


def _hashed(secret: bytes, *parts: str) -> str:
    """Each part with its length, so that two lists never run together alike."""
    message = b"".join(
        len(data).to_bytes(4, "big") + data for data in (part.encode() for part in parts)
    )
    return blake2b(message, digest_size=32, key=secret).hexdigest()
