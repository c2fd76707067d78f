"""Replies as they are kept, and which of several a request gets."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from penstock.cache.http import conditions, keys, rules
from penstock.cache.http.freshness import Terms
from penstock.cache.http.keys import Place
from penstock.cache.http.rules import Came, Rules
from penstock.wire.http import Headers, Request, header

UNCHANGED = frozenset(
    {*rules.UNKEPT, "content-digest", "content-encoding", "content-md5", "content-range", "etag"}
)
"""What a 304 does not change: it speaks of the body, which stays."""


class Entry(Struct, array_like=True, tag=1, frozen=True):
    """One reply, with the request it answers, which is compared on a hit.

    `told`: its lifetime is the route's. `varies` are the headers it was chosen by, `variant` what the request said in
    them. `mark` is the URL's invalidation as the request found it, `tagged` the number of its `tags`.
    """

    url: str
    partition: str
    status: int
    headers: list[tuple[str, str]]
    body: bytes
    terms: Terms
    told: bool = False
    varies: list[str] = []
    variant: str = ""
    mark: bytes = b""
    tags: list[str] = []
    tagged: int = 0

    def answers(self, place: Place, marked: bytes) -> bool:
        """Whether this is a reply to what was asked, of whom may have it, that nothing has taken back since."""
        return (
            self.url == place.url
            and self.partition == place.partition
            and self.mark == marked
            and self.tagged == keys.of_tags(place.numbers, self.tags)
        )

    def headers_out(self, settings: Rules) -> list[tuple[str, str]]:
        """Its headers as they go out."""
        if self.told and settings.ttl is not None:
            return rules.told(self.headers, settings, owned=self.partition != "")
        return self.headers


class Variant(Struct, array_like=True, frozen=True):
    """One of several replies to the same URL: where it is, and until when."""

    varies: list[str]
    variant: str
    until: float


class Variants(Struct, array_like=True, tag=2, frozen=True):
    """What is kept of a URL whose replies vary, the newest first."""

    of: list[Variant]


Kept = Entry | Variants

encode = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[Kept] = msgspec.msgpack.Decoder(Kept)


def decode(data: bytes) -> Kept | None:
    """What was kept, or None for what another version wrote."""
    try:
        return _decoder.decode(data)
    except msgspec.DecodeError:
        return None


def made(
    request: Request, came: Came, body: bytes, found: Terms, *, place: Place, marked: bytes,
    settings: Rules, secret: bytes,
) -> Entry:  # fmt: skip
    """An entry of a reply from the origin."""
    varies = rules.vary(came.headers)
    tags = keys.tags(came.headers)
    return Entry(
        url=place.url,
        partition=place.partition,
        status=came.status,
        headers=rules.kept(came.headers),
        body=body,
        terms=found,
        told=rules.ruled(request, came, settings, owned=place.owned),
        varies=varies,
        variant=keys.selected(request, varies, secret),
        mark=marked,
        tags=tags,
        tagged=keys.of_tags(place.numbers, tags),
    )


def merged(entry: Entry, headers: Headers) -> list[tuple[str, str]]:
    """An entry's headers with what a 304, or a reply to HEAD, says anew."""
    new = [pair for pair in headers if pair[0] not in UNCHANGED]
    replaced = {name for name, _ in new}
    return [pair for pair in entry.headers if pair[0] not in replaced] + new


def agrees(entry: Entry, headers: Headers) -> bool:
    """Whether a reply to HEAD can be about this entry's body."""
    if not conditions.same(entry.headers, headers):
        return False
    modified, size = header(headers, "last-modified"), header(headers, "content-length")
    if modified is not None and modified != (header(entry.headers, "last-modified") or modified):
        return False
    return size is None or size == str(len(entry.body))


def chosen(of: Variants, request: Request, secret: bytes, now: float) -> Variant | None:
    """The newest variant that the request gets too."""
    said: dict[tuple[str, ...], str] = {}
    for one in of.of:
        names = tuple(one.varies)
        if names not in said:
            said[names] = keys.selected(request, one.varies, secret)
        if one.until > now and one.variant == said[names]:
            return one
    return None


def with_variant(
    of: Variants | None, new: Variant, now: float, most: int
) -> tuple[Variants, list[str]]:
    """The variants with a new one in front, at most `most`; and those that went for it."""
    rest = [one for one in (of.of if of else []) if one.variant != new.variant and one.until > now]
    return Variants([new, *rest[: most - 1]]), [one.variant for one in rest[most - 1 :]]
