"""Kept answers of chats: who may have which, who leads and who follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.cache.exact import Entry, Exact, Key
from penstock.cache.flights import Flight, Flights
from penstock.errors import again
from penstock.gateway.faces import CHAT
from penstock.ledger.journal import Journal
from penstock.ports import Clock
from penstock.routing.routes import Way
from penstock.wire import completion
from penstock.wire.chat import Usage

if TYPE_CHECKING:
    from penstock.gateway.delivery import Delivery


class Kept:
    """Finds and keeps answers by route settings and the caller's cache-control; counts hits and misses."""

    def __init__(
        self,
        exact: Exact,
        journal: Journal,
        clock: Clock,
        flights: Flights,
        *,
        share_flights: bool,
        max_entry: int,
    ) -> None:
        self._exact = exact
        self._journal = journal
        self._clock = clock
        self._share = share_flights
        self._max_entry = max_entry
        self._flights = flights

    async def find(self, delivery: Delivery) -> bool:
        """Whether a kept answer, or one in the air, serves this ask; otherwise the delivery leads a flight of its own."""
        assert delivery.way is not None
        if delivery.exchange.trace is not None:
            delivery.exchange.trace.look()
        asked = delivery.exchange.cache_control
        if not delivery.way.settings.cache.enabled or "no-store" in asked:
            self._lead(delivery, None)
            return False
        key = delivery.key = await self._key(delivery, delivery.way)
        if "no-cache" in asked:
            self._lead(delivery, None)
            return False
        while True:
            entry = await self._exact.find(key)
            if entry is not None and (not delivery.ask.stream or completion.plain(entry.data)):
                delivery.hit(entry)
                self._count(delivery, hit=True)
                return True
            flight = self._flights.find(_call(delivery, key)) if self._share else None
            if flight is None:
                break
            if await self._board(delivery, flight):
                self._count(delivery, hit=True)
                return True
        self._count(delivery, hit=False)
        self._lead(delivery, key)
        return False

    async def keep(self, delivery: Delivery, flight: Flight, usage: Usage) -> None:
        """Keeps a whole reply that ended well; errors, partial, cut, empty and tool-call replies never."""
        key, way, answer = delivery.key, delivery.way, delivery.answer
        if key is None:
            return
        try:
            if way is not None and answer is not None and flight.kept and _keepable(flight):
                offer, model = answer.offer, answer.offer.target.model
                data = _whole(flight, usage)
                if data and not completion.empty(data):
                    entry = Entry(key.request, data, offer.name, offer.vendor, model, usage)
                    await self._exact.keep(key, entry, way.settings.cache.ttl)
        finally:
            self._flights.drop(_call(delivery, key), flight)

    def withdraw(self, delivery: Delivery) -> None:
        """The leader's call came to nothing: followers learn why, or go themselves where it was the leader's own affair."""
        flight = delivery.flight
        if flight is None:
            return
        if delivery.key is not None:
            self._flights.drop(_call(delivery, delivery.key), flight)
        flight.fail(delivery.failure)

    async def _board(self, delivery: Delivery, flight: Flight) -> bool:
        """Joins a flight; False where it came to nothing and the asker should look again."""
        assert delivery.way is not None
        flight.join()
        try:
            async with self._clock.timeout(delivery.way.settings.timeouts.first_byte):
                departed = await flight.departure()
        except TimeoutError:
            # The leader hangs: this one goes itself, and leads whoever comes after.
            assert delivery.key is not None
            self._flights.drop(_call(delivery, delivery.key), flight)
            departed = False
        except BaseException:
            flight.leave()
            await flight.close()
            raise
        if departed:
            delivery.follow(flight)
            return True
        flight.leave()
        if flight.failure is not None:
            raise again(flight.failure)
        return False

    def _lead(self, delivery: Delivery, key: Key | None) -> None:
        # A refresh keeps its events too, so that a complete reply can be kept.
        shadowed = delivery.way is not None and delivery.way.settings.shadow is not None
        keep = delivery.key is not None or shadowed
        delivery.flight = Flight(whole=not delivery.ask.stream, kept=keep, most=self._max_entry)
        delivery.leads = True
        if key is not None and self._share:
            self._flights.lead(_call(delivery, key), delivery.flight)

    async def _key(self, delivery: Delivery, way: Way) -> Key:
        caller = delivery.exchange.caller
        owner = caller.owner
        shared = way.settings.cache.shared and delivery.face.verb == CHAT
        partition = f"shared:{way.name}" if shared else f"owner:{owner}"
        return await self._exact.key(
            delivery.face.verb,
            partition,
            owner,
            delivery.ask.model,
            way.name,
            delivery.ask.canonical,
        )

    def _count(self, delivery: Delivery, *, hit: bool) -> None:
        delivery.cache = "hit" if hit else "miss"
        verb = delivery.face.verb
        delivery.gateway.counters.cache(verb, hit=hit)
        self._journal.count(int(self._clock.now() * 1000), verb, hit=hit)


def _call(delivery: Delivery, key: Key) -> str:
    """The name of a call in the air: the two forms share one where nothing but text can come of it."""
    ask = delivery.ask
    more = ask.tools or ask.unknown or ask.body.get("logprobs")
    return f"{key.name}:stream" if more and ask.stream else key.name


def _whole(flight: Flight, usage: Usage) -> bytes:
    """The whole completion of a flight; empty where chunks said more than a whole one of ours would."""
    blocks = [event.data for event in flight.events if event.data]
    return blocks[0] if flight.whole else completion.assemble(blocks, usage, exactly=True)


def _keepable(flight: Flight) -> bool:
    finishes = {event.finish for event in flight.events if event.finish}
    return (
        flight.complete
        and finishes == {"stop"}
        and not any(event.tools or event.failure for event in flight.events)
    )
