"""Replies of services kept by RFC 9111: a cache before each service that asks for one, in one place for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.cache.generations import Generations
from penstock.cache.http import replies
from penstock.cache.http.bounded import Bounded
from penstock.cache.http.collecting import Room
from penstock.cache.http.driver import HttpCache
from penstock.cache.http.flights import Flights
from penstock.cache.http.keys import KIND
from penstock.cache.http.rules import Rules
from penstock.cache.http.shelves import Shelves
from penstock.config import ServiceCache
from penstock.gateway.air import PERIOD_SECONDS, Regular
from penstock.gateway.exchange import Exchange
from penstock.ports import Fetch, Platform
from penstock.wire.http import Request, Response

if TYPE_CHECKING:
    from penstock.gateway import Gateway

OWNER = "owner"
"""Under this name a request on its way to a cache carries whose it is. Its notes are its own, and nobody logs them."""
PRODUCT = "/api/"


class Replies:
    """What the process keeps of services' replies, and which requests wait for each other. It outlives a configuration."""

    def __init__(self, platform: Platform, generations: Generations) -> None:
        self.platform = platform
        self.generations = generations
        # Marks may lie anywhere: an invalidation must not be put out by other people's replies.
        self.kept = Bounded(platform.store, most=0)
        apart = platform.replies
        self.shelves = Shelves(
            self.kept if apart is None else apart, platform.clock, platform.secret,
            lambda: platform.ids.new(""), platform.store if apart is None else apart,
        )  # fmt: skip
        self.flights = Flights(platform.clock.tick) if platform.shared_loop else None
        self.room = Room(0)
        self._period = Regular(PERIOD_SECONDS)

    def bound(self, most: int) -> None:
        """So many bytes are kept at most, and as many more are in memory while they are put together."""
        self.kept.most = self.room.most = most

    def renew(self, now: float) -> None:
        """Counts anew what is being put together, each period."""
        if self._period.due(now):
            self.room.forget()


class Caching:
    """One service's replies, by its settings; `fetch` asks it, `most` bytes has a kept one, `cookies` go to callers."""

    def __init__(
        self, name: str, settings: ServiceCache, fetch: Fetch, replies: Replies, most: int, *, cookies: bool
    ) -> None:  # fmt: skip
        platform = replies.platform
        self._cookies = cookies
        self._replies = replies
        self._period = Regular(PERIOD_SECONDS)
        self._cache = HttpCache(
            fetch,
            Rules(name, settings.ttl, settings.stale_while_revalidate, settings.key, most),
            shelves=replies.shelves,
            clock=platform.clock,
            spawn=platform.spawn,
            generations=replies.generations,
            owner=_owner,
            flights=replies.flights,
            room=replies.room,
        )

    async def __call__(self, gateway: Gateway, exchange: Exchange, onward: Request) -> Response:
        """The reply to a request, kept or from the service; raises Failed."""
        if not gateway.platform.shared_loop:
            self._renew(gateway.platform.clock.tick())
        caller = exchange.caller
        notes = onward.notes = {OWNER: "" if caller.anonymous else caller.owner}
        try:
            response = await self._cache(onward)
        finally:
            del notes[OWNER]
            exchange.notes.update(notes)
            _count(gateway, notes.get("cache"))
        response.verbatim = True
        self._say(exchange, response, notes.get("cache"))
        return response

    def refused(self, request: Request, response: Response) -> bool:
        """Whether a reply is the cache's own, to a request that wanted only what is kept. In Cache-Status ours comes last."""
        said = response.header("cache-status") or ""
        return request.method in ("GET", "HEAD") and said.endswith(replies.REFUSED)

    def _renew(self, now: float) -> None:
        """Where a request can be killed, what it held is forgotten in the end, as all in the air is."""
        if self._period.due(now):
            self._cache.forget()
        self._replies.renew(now)

    def _say(self, exchange: Exchange, response: Response, found: str | None) -> None:
        """What the caller is told of it beside Cache-Status, and what the service's settings keep from them."""
        dropped = {"x-cache"} if self._cookies else {"x-cache", "set-cookie", "set-cookie2"}
        headers = [pair for pair in response.headers if pair[0] not in dropped]
        if found in ("hit", "miss") and exchange.request.path.startswith(PRODUCT):
            headers.append(("x-cache", found.upper()))
        response.headers = headers


def _owner(request: Request) -> str:
    owner: str = request.notes.get(OWNER, "")
    return owner


def _count(gateway: Gateway, found: str | None) -> None:
    if found in ("hit", "miss"):
        hit = found == "hit"
        gateway.counters.cache(KIND, hit=hit)
        gateway.journal.count(int(gateway.platform.clock.now() * 1000), KIND, hit=hit)
