"""The one loop that carries an answer out, and owns what must end with it: flight, hold, decision record."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING

from msgspec.structs import replace

from penstock.auth import calls
from penstock.cache.exact import Entry, Key
from penstock.cache.flights import Flight
from penstock.errors import Error, Failed, Unavailable, again
from penstock.gateway.exchange import Exchange
from penstock.gateway.faces import Face, Told
from penstock.gateway.later import later
from penstock.gateway.limiting import account
from penstock.gateway.tenant_keys import NONE
from penstock.ledger import book
from penstock.ledger.decisions import Decision, row
from penstock.limits.estimate import UNBILLED, at_most
from penstock.limits.hold import Hold
from penstock.ports import Statement
from penstock.routing.offers import LEAST_WARM_BYTES, LEAST_WARM_TOKENS, by_own_keys
from penstock.routing.policies import Choice, elsewhere, fitting
from penstock.routing.routes import Way
from penstock.upstream.answer import Answer, unfinished
from penstock.wire import completion, sse
from penstock.wire.chat import Ask, Event
from penstock.wire.http import JSON, Response

if TYPE_CHECKING:
    from penstock.gateway import Gateway
    from penstock.routing.affinity import Trail


REVOKED_SECONDS = 10.0
"""Between two questions whether the credential of a running stream was revoked."""


class Delivery:
    """One caller's answer, as a stream of bytes or whole. `aclose` is idempotent and runs whether it was read or not."""

    __slots__ = ("_ask_again", "_blocks", "_closed", "_entry", "_finished", "_left", "_position", "_read", "_recorded", "_usage_data", "answer", "ask", "cache",
                 "decision", "exchange", "face", "failure", "flight", "gateway", "hold", "key", "leads", "private", "told", "trail", "way")  # fmt: skip

    def __init__(self, gateway: Gateway, exchange: Exchange, ask: Ask, face: Face) -> None:
        self.gateway = gateway
        self.exchange = exchange
        self.ask = ask
        self.face = face
        self.way: Way | None = None
        self.key: Key | None = None
        self.cache = "bypass"
        self.flight: Flight | None = None
        self.leads = False
        self.hold: Hold | None = None
        self.answer: Answer | None = None
        self.failure: Error | None = None
        self.told = Told()
        self.trail: Trail | None = None
        self.decision = Decision(
            exchange.id,
            face.verb,
            exchange.caller.hash,
            exchange.caller.tier,
            ask.model,
            stream=ask.stream,
        )
        self._entry: Entry | None = None
        self._read: Answer | None = None
        self._ask_again = exchange.started + REVOKED_SECONDS if exchange.caller.credential else inf
        self._position = 0
        self._blocks: list[bytes] = []
        if (mark := exchange.request.header(calls.NAME)) is not None:
            platform = gateway.platform
            exchange.inner = calls.holds(mark, platform.clock.now(), platform.secret)
        self._usage_data = b""
        self._finished = False
        self._left = False
        self.private = False
        self._closed = False
        self._recorded = False

    async def rank(self) -> Choice:
        """The policy's choice among the targets that can take this ask, with the tenant's own keys; raises BadRequest
        where none can."""
        assert self.way is not None
        if self.exchange.trace is not None:
            self.exchange.trace.found()
        way, caller, inner = self.way, self.exchange.caller, self.exchange.inner
        keys = NONE
        if not self.gateway.tenant_keys.none:
            self.private = True
            keys = await self.gateway.tenant_keys.of(caller, self.gateway.platform)
            self.private = bool(keys)
        offers = fitting(self.ask, elsewhere(way.offers) if inner else way.offers)
        offers = self.gateway.limits.payable(caller, way.name, offers, keys)
        choice = way.policy.rank(self.ask, offers)
        if keys:
            choice = replace(choice, offers=by_own_keys(choice.offers, keys))
        if inner:
            choice = replace(choice, offers=tuple(offer.paid() for offer in choice.offers))
        elif not keys and self.ask.turns > 1 and self.ask.input_bound >= LEAST_WARM_BYTES:
            from penstock.gateway import affinity  # Workers start without it

            choice = await affinity.warm_first(self, choice)
        self.decision.reason, self.decision.features = choice.reason, choice.features
        self.decision.ranks = tuple(offer.name for offer in choice.offers)
        return choice

    def start(self, answer: Answer) -> None:
        """The target answered: from here on the flight owns it."""
        self.answer = self._read = answer
        self.told = Told(answer.offer.vendor, answer.offer.target.model)
        self.decision.target = answer.offer.name
        if self.ask.stream and answer.heard:
            self.decision.first_us = int((answer.heard - self.exchange.started) * 1e6)
        assert self.flight is not None
        self.flight.start(answer, self._land)

    def hit(self, entry: Entry) -> None:
        """A kept answer serves this ask; nothing is spent."""
        self._entry = entry
        self.told = Told(entry.provider, entry.model, entry.usage, cached=True)
        self.decision.target = entry.target

    def follow(self, flight: Flight) -> None:
        """The same ask of the same owner is in the air already: its answer is read along, nothing is spent twice."""
        self.flight = flight
        self.exchange.follows = True
        self._left = False
        if isinstance(flight.source, Answer):
            self._read, offer = flight.source, flight.source.offer
            self.told = Told(offer.vendor, offer.target.model, cached=True)
            self.decision.target = offer.name

    async def respond(self) -> Response:
        """The reply: a stream that this delivery carries, or the whole answer, settled."""
        self._note()
        headers = [("x-penstock-target", self.decision.target), ("x-penstock-cache", self.cache)]
        if self.hold is not None and self.hold.capped and self.answer and not self.ask.max_output:
            headers.append(("x-penstock-max-output", str(self.answer.offer.cap)))
        if self.ask.stream:
            return Response(200, [*sse.HEADERS, *headers], self)
        data = await self._whole()
        body = self.face.whole(data, self.told)
        await self.aclose()
        clock = self.gateway.platform.clock
        spent = clock.tick() - self.exchange.started - (self.answer.waited if self.answer else 0.0)
        headers.append(("x-penstock-cost-nanos", str(self.told.cost_nanos)))
        headers.append(("x-penstock-overhead-us", str(int(spent * 1e6))))
        return Response(200, [JSON, *headers], body)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while not self._finished:
            try:
                flight = self.flight
                if flight is None or flight.whole:
                    events = self._replay(await self._whole())
                else:
                    events = await flight.after(self._position)
                    self._position += len(events)
                    if self._read is not None and self._read.heard >= self._ask_again:
                        await self._still_good(self._read.heard)
                data = self._carry(events)
            except Error as error:
                self._finished = True
                data = self._fail(error)
            except Exception as error:  # noqa: BLE001 - the status is out: only an event can still say it
                self._finished = True
                self.gateway.report(self.exchange.id, error)
                data = self._fail(Error())
            if data:
                return data
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Ends what this delivery owns; cut off by a cancellation, it may simply be called again."""
        if self._closed:
            return
        if self.flight is not None:
            if not self._left:
                self._left = True
                if self._read is not None:
                    self.gateway.lasting.drains.board(
                        self, self.flight, self._position, self._read.offer.at
                    )
                self.flight.leave()
                if self.leads and not self.flight.started:
                    self.gateway.kept.withdraw(self)
            await self.end(self.flight)
        if (
            self.leads
            and self.hold is not None
            and (self.flight is None or not self.flight.started)
        ):
            await self.hold.close()
        self._closed = True
        clock = self.gateway.platform.clock
        self.decision.total_us = int((clock.tick() - self.exchange.started) * 1e6)
        if not self._in_the_air:
            self._record()

    async def give_up(self, error: BaseException) -> None:
        """Ends it before there was a response, of which nobody else would; whoever leaves meanwhile does not stop it."""
        self.problem(error)
        try:
            await self.aclose()
        except CancelledError:
            await self.aclose()
            raise

    async def end(self, flight: Flight) -> None:
        """Ends a flight that nobody reads any more."""
        try:
            await flight.close()
        except Unavailable:
            # The answer goes out all the same; its final row follows when the books are back.
            self.gateway.platform.spawn(self._close_later(flight))

    async def _still_good(self, now: float) -> None:
        """Raises Unauthorized where the credential was revoked meanwhile."""
        self._ask_again = now + REVOKED_SECONDS
        # It was good at the door: where nobody can tell, the stream goes on and is asked for again.
        with suppress(Unavailable):
            await self.gateway.limits.rates.admit(self.exchange.caller, None)

    async def _close_later(self, flight: Flight) -> None:
        if not await later(self.gateway.platform, flight.close) and self._in_the_air:
            self._record()

    def problem(self, error: BaseException) -> None:
        """What went wrong: for the decision record, and for followers where the target is to blame, not the tenant's key."""
        if isinstance(error, (Failed, Unavailable)) and not self.private:
            self.failure = error
        self.decision.error = error.code if isinstance(error, Error) else "cancelled"
        self.decision.status = error.status if isinstance(error, Error) else 499

    @property
    def _in_the_air(self) -> bool:
        """Whether what this one leads has yet to land, and with it the cost that its record tells."""
        flight = self.flight
        return self.leads and flight is not None and flight.started and not flight.landed

    def _replay(self, whole: bytes) -> Sequence[Event]:
        """A whole answer, kept or the leader's, told as a stream."""
        usage = self._entry.usage if self._entry is not None else self.told.usage
        return completion.replay(whole, usage)

    def _carry(self, events: Sequence[Event]) -> bytes:
        """The bytes of some events, ending the stream where they do."""
        if not events:
            self._finished = True
            return self._fail(unfinished())
        for event in events:
            if event.usage is not None:
                self.told.usage = event.usage
            if event.usage_data:
                self._usage_data = event.usage_data
            if self.face.gathers and event.data:
                self._blocks.append(event.data)
        data = self.face.pieces(events, self.ask)
        last = events[-1]
        if last.end:
            self._finished = True
            data += self._fail(last.failure) if last.failure is not None else self._last()
        return data

    def _last(self) -> bytes:
        whole = b""
        if self.face.gathers:
            whole = (
                self._entry.data
                if self._entry
                else completion.assemble(self._blocks, self.told.usage)
            )
        return self.face.last(whole, self._usage_data, self.told, self.ask)

    def _fail(self, failure: Error) -> bytes:
        self.problem(failure)
        return self.face.failed(failure)

    async def _whole(self) -> bytes:
        """The whole completion, of a kept answer or of all events to the end; raises Failed."""
        if self._entry is not None:
            return self._entry.data
        assert self.flight is not None
        blocks: list[bytes] = []
        ended = False
        while not ended:
            events = await self.flight.after(self._position)
            self._position += len(events)
            ended = self._gather(events, blocks)
        return blocks[0] if self.flight.whole else completion.assemble(blocks, self.told.usage)

    def _gather(self, events: Sequence[Event], blocks: list[bytes]) -> bool:
        """Adds what some events bring; True at the end, raises Failed where it is not a good one."""
        if not events:
            raise unfinished()
        for event in events:
            if event.data:
                blocks.append(event.data)
            if event.usage is not None:
                self.told.usage = event.usage
            if event.failure is not None:
                raise again(event.failure)
        return events[-1].end

    async def _land(self, flight: Flight) -> None:
        """Settles by what was reported, or at the most it can have been; then keeps a complete reply. Runs once a flight."""
        assert self.hold is not None
        assert self.answer is not None
        usage = self.answer.usage
        if not flight.complete or usage is None:
            offer = self.answer.offer
            if offer.at.on_disconnect == "none" and not flight.over and not flight.whole:
                usage = UNBILLED
            else:
                usage = at_most(offer.price, usage, self.hold.most)
        self.told.cost_nanos = await self.hold.settle(usage)
        self.told.usage = usage
        await self.gateway.kept.keep(self, flight, usage)
        if flight.complete and usage.total_input >= LEAST_WARM_TOKENS and not usage.estimated:
            from penstock.gateway import affinity  # Workers start without it

            await affinity.note(self, usage)
        if self._closed:
            self._record()

    def _note(self) -> None:
        if self.exchange.trace is not None:
            self.exchange.trace.found()
        self.exchange.notes.update(
            route=self.way.name if self.way else "", target=self.decision.target, cache=self.cache
        )

    def _record(self) -> None:
        if self._recorded:  # a second row of one request would hold up the journal
            return
        self._recorded = True
        decision, exchange, gateway, way = self.decision, self.exchange, self.gateway, self.way
        decision.cache = self.cache
        decision.status = decision.status or 200
        if way is not None:
            decision.route = decision.arm = way.name
            decision.policy = way.policy.name
        if self.key is not None:
            decision.cache_key = self.key.name
        if self.leads:
            self._tell_bought(decision)
        if exchange.trace is not None:
            exchange.trace.chat(self)
        now, journal = int(gateway.platform.clock.now() * 1000), gateway.journal
        if self.cache == "hit" and not decision.error:
            assert way is not None
            journal.add(_hit_row(exchange, decision, self.told, now))
            gateway.counters.saved(way.offers, decision.target, self.told.usage)
        journal.add(row(decision, now, exchange.caller.owner))
        if gateway.labels is not None:
            gateway.labels.after(self)

    def _tell_bought(self, decision: Decision) -> None:
        if self.answer is not None:
            decision.attempts = self.answer.attempt
            decision.upstream_us = int(self.answer.waited * 1e6)
            decision.price = self.answer.offer.frozen
            decision.deployment = self.answer.turn.deployment
        if self.hold is not None:
            decision.reserved_nanos, decision.cost_nanos = self.hold.reserved, self.hold.amount


def _hit_row(exchange: Exchange, decision: Decision, told: Told, now: int) -> Statement:
    whose = account(exchange, decision.route, decision.service)
    what = book.Charged(decision.target.partition("/")[0], told.model, decision.target)
    return book.final(whose, 0, "settled", now, what, told.usage, 0, "hit")
