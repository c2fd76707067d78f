"""Entries in a `Store`: found by what a request asks, kept, renewed, forgotten. A store promises nothing, and need not."""

from __future__ import annotations

from collections.abc import Callable

from penstock.cache.http import entries
from penstock.cache.http.entries import Entry, Variant, Variants
from penstock.cache.http.freshness import MOST_KEPT_SECONDS
from penstock.cache.http.keys import Place, mark
from penstock.cache.http.rules import validated
from penstock.ports import Clock, Store
from penstock.wire.http import Request

MOST_VARIANTS = 32
"""Of one URL and owner; the oldest goes."""


class Shelves:
    """Keeps a reply under its place; of a URL whose replies vary, a list under it and each reply beside it.

    `marks` is where invalidations are noted, if that is another store: they must not give way to replies.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        secret: bytes,
        unique: Callable[[], str],
        marks: Store | None = None,
    ) -> None:
        self._store = store
        self._marks = marks or store
        self._clock = clock
        self.secret = secret
        self._unique = unique

    async def find(self, place: Place, request: Request) -> tuple[Entry | None, bool, bytes]:
        """The entry a request gets, fresh or not; whether there are others; and its URL's mark."""
        name = place.name
        kept, varied = await self._kept(name), False
        marked = await self._marks.get(place.mark) or b""
        if isinstance(kept, Variants):
            varied = bool(kept.of)
            one = entries.chosen(kept, request, self.secret, self._clock.now())
            name = _beside(place, one.variant if one else "")
            kept = await self._kept(name) if one else None
        if not isinstance(kept, Entry):
            return None, varied, marked
        if not kept.answers(place, marked):
            # Gone for good: the store may lose the mark sooner than the entry.
            await self._store.delete(name)
            return None, varied, marked
        return kept, varied, marked

    async def keep(self, place: Place, entry: Entry) -> None:
        """Keeps an entry for as long as it is of use, in place of an earlier one."""
        now = self._clock.now()
        ttl = entry.terms.kept(now, validated(entry.headers))
        if ttl <= 0:
            return
        if not entry.varies:
            await self._store.put(place.name, entries.encode(entry), ttl)
            return
        before = await self._kept(place.name)
        others = before if isinstance(before, Variants) else None
        new = Variant(entry.varies, entry.variant, now + ttl)
        variants, gone = entries.with_variant(others, new, now, MOST_VARIANTS)
        await self._store.put(_beside(place, entry.variant), entries.encode(entry), ttl)
        longest = max(one.until for one in variants.of) - now
        await self._store.put(place.name, entries.encode(variants), longest)
        for variant in gone:
            await self._store.delete(_beside(place, variant))

    async def forget(self, place: Place, entry: Entry) -> None:
        """Its origin said that it holds no more."""
        await self._store.delete(_beside(place, entry.variant) if entry.varies else place.name)

    async def invalidate(self, request: Request, targets: list[str]) -> None:
        """Nothing that was asked for until now is found under these targets of the request's host, for no owner."""
        token = self._unique().encode()
        for target in dict.fromkeys(targets):
            await self._marks.put(mark(request, self.secret, target), token, MOST_KEPT_SECONDS)

    async def _kept(self, name: str) -> entries.Kept | None:
        found = await self._store.get(name)
        return None if found is None else entries.decode(found)


def _beside(place: Place, variant: str) -> str:
    return f"{place.name}.{variant}"
