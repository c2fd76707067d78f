"""Where a reply is kept: keyed hashes of who may have it, what was asked, and the numbers that a purge raises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from urllib.parse import urljoin, urlsplit

from msgspec import Struct

from penstock.cache.generations import of_key
from penstock.cache.http import fields
from penstock.wire.http import Headers, Request, header

KIND = "http"
REMEMBERED = 1_024
REMEMBERED_CHARACTERS = 1_024
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


class Places:
    """Finds the places of one route's requests. What is asked again need not be hashed again."""

    def __init__(self, route: str, secret: bytes) -> None:
        self._route = route
        self._secret = secret
        self._named = lru_cache(maxsize=REMEMBERED)(self._names)

    def of(self, request: Request, owner: str, numbers: Mapping[str, int]) -> Place:
        """The place of a request; `owner` is empty where nobody in particular asks, or all share."""
        host, scheme = _host(request.headers), _scheme(request.headers)
        target = _target(request)
        number, at = of_key(numbers, KIND, owner, self._route), 0
        if numbers:
            at = numbers.get(f"url:{target}", 0)
        known = len(host) + len(target) <= REMEMBERED_CHARACTERS
        names = self._named if known else self._names
        name, url, noted = names(scheme, host, target, owner, number, at)
        single = numbers.get(f"key:{name}", 0) if numbers else 0
        return Place(f"{name}.{single}" if single else name, url, owner, noted, numbers)

    def _names(
        self, scheme: str, host: str, target: str, owner: str, number: bytes, at: int
    ) -> tuple[str, str, str]:
        url = f"{scheme}{_url(host, target)}"
        numbered = f"{number.decode()},{at}"
        name = _hashed(self._secret, "entry", self._route, owner, url, numbered)
        return f"{KIND}:{name}", url, _mark(_url(host, target), self._secret)


def mark(request: Request, secret: bytes, target: str) -> str:
    """Where it is noted that what is kept of a target of the request's host counts no more."""
    return _mark(_url(_host(request.headers), target), secret)


def affected(request: Request, headers: Headers) -> Iterator[str]:
    """The targets that an unsafe request has changed: its own, and those of this host that its reply names."""
    own = _target(request)
    yield own
    host = _host(request.headers)
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


def _target(request: Request) -> str:
    """The target as a path with its query: an absolute URL names the same thing."""
    target = request.target.decode("latin-1")
    if target.startswith("/"):
        return target
    _, found, rest = target.partition("://")
    slash = rest.find("/")
    return (rest[slash:] if slash >= 0 else "/") if found else target


def _host(headers: Headers) -> str:
    """The host as the origin is told of it: it may build its reply on that."""
    return (header(headers, "x-forwarded-host") or header(headers, "host") or "").lower()


def _scheme(headers: Headers) -> str:
    """`https://`, where the origin is told of it."""
    told = header(headers, "x-forwarded-proto")
    return f"{told.lower()}://" if told else ""


def _url(host: str, target: str) -> str:
    """The host as it was sent: what an origin made of another is nobody else's reply."""
    return f"{host} {target}"


def _mark(url: str, secret: bytes) -> str:
    return f"{KIND}-mark:{_hashed(secret, 'mark', url)}"


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
        return ""
    said = "=" + ",".join(fields.members(values))
    return said.lower().replace(" ", "") if name in _LISTS else said


def _hashed(secret: bytes, *parts: str) -> str:
    """Each part with its length, so that two lists never run together alike."""
    message = "".join([f"{len(part)}:{part}" for part in parts])
    return blake2b(message.encode(), digest_size=32, key=secret).hexdigest()
