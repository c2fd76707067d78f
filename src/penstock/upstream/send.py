"""Targets in order, by their deployments, until the first event, which is the commit point: after it there is no failover."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from penstock.auth import calls
from penstock.config import Route, TimeoutSettings
from penstock.errors import BadRequest, Error, Failed, TooLarge, Unavailable
from penstock.limits.hold import Hold, Tried
from penstock.ports import Clock, Fetch, Ids, Meter, Runner
from penstock.providers import Call, sandbox
from penstock.routing.offers import Offer
from penstock.upstream.answer import Answer
from penstock.upstream.budget import RetryBudget
from penstock.upstream.deployments import Fleet
from penstock.upstream.tour import Need, Tour, Turn, at_once
from penstock.wire.chat import Ask
from penstock.wire.http import Headers, Request, Response, Timeouts, collect

MOST_WAIT_SECONDS = 2.0
BACKOFF_SECONDS = 0.1
ERROR_BODY = 64 << 10
PASSING = frozenset({408, 409, 425, 429})
"""Refusals below 500 that pass by themselves."""
T = TypeVar("T")
Attempt = Callable[[Turn], Awaitable[T]]
"""One attempt; it ends its turn where it brings something."""

Count = Callable[[str, str, float], None]
"""Told each attempt's target, what it came to and after how many seconds."""
ANSWERED, CANCELLED = "answered", "cancelled"

IN_PROCESS = frozenset({"sandbox", "hashed"})


class Upstream:
    """Sends asks; one a gateway. `runner` serves the local embedding model where there is one, and bound models."""

    def __init__(
        self,
        fetch: Fetch,
        clock: Clock,
        ids: Ids,
        count: Count,
        runner: Runner | None = None,
        budget: RetryBudget | None = None,
        secret: bytes = b"",
        fleet: Fleet | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._fetch = fetch
        self._ids = ids
        self._count = count
        self._secret = secret
        self.clock = clock
        self.runner = runner
        self.budget = budget or RetryBudget()
        self._fleet = fleet or Fleet()
        self._meter = meter

    async def send(
        self, ask: Ask, offers: Sequence[Offer], hold: Hold, route: Route, shown: Headers = ()
    ) -> Answer:
        """The answer of the first target that gives one, a service being `shown` who asks; raises Failed, or
        Unavailable where there is no target."""

        async def call(turn: Turn) -> Answer:
            named: Headers = ()
            if turn.at.kind == "service":
                until = self.clock.now() + route.timeouts.total
                of = f"{hold.account.request_id}.{turn.number}"
                named = (*shown, (calls.NAME, calls.mark(of, until, self._secret)))
            return await self._call(ask, turn, hold, route.timeouts, named)

        def need(offer: Offer) -> int:
            return offer.most(ask, capped=True).total

        return await self.tries(offers, hold, route.attempts, call, need)

    async def tries(
        self, offers: Sequence[Offer], hold: Hold, attempts: int, call: Attempt[T], need: Need
    ) -> T:
        """What the first successful attempt brings; another one follows only a failure that surely cost nothing, or
        at a deployment that recognises the repeat. Raises Cooling, with nothing sent, where none may be asked now."""
        if not offers:
            raise Unavailable("No target is configured for this route.")
        turn = at_once(offers[0], self._fleet, self.clock)
        tour = self._tour(offers[:attempts], need, turn) if turn is None else None
        unsure = False
        tried = 0
        self.budget.firsts += 1
        try:
            if tour is not None:
                turn = await tour.first()
            assert turn is not None
            while True:
                tried += 1
                try:
                    return await self._within_budget(call, turn, hold, again=tried > 1)
                except Failed as failure:
                    if failure.upstream_status or failure.processed == "no":
                        hold.unprocessed()
                    if unsure and failure.processed == "no":
                        # An attempt before this one may have been processed all the same.
                        failure.processed = "unknown"
                    unsure = failure.processed != "no"
                    tour = tour or self._tour(offers[:attempts], need, turn)
                    if tried == attempts or not (
                        following := await self._following(failure, turn, tour)
                    ):
                        raise
                    turn = following
        finally:
            self.budget.firsts -= 1

    async def fetch(self, offer: Offer, request: Request, id: str, created: int) -> Response:
        """Sends to where an offer is reached: another machine, this process for the sandbox, or a model bound to it."""
        if offer.at.kind in IN_PROCESS:
            return sandbox.reply(request, id, created)
        if offer.at.bound:
            if self.runner is None:
                raise Unavailable(
                    "No models are bound to this platform: name the provider's account."
                )
            return await self.runner.run(offer.target.model, request)
        return await self._fetch(request)

    async def _within_budget(self, call: Attempt[T], turn: Turn, hold: Hold, *, again: bool) -> T:
        self.budget.retries += again
        outcome = CANCELLED
        try:
            found = await call(turn)
            outcome = ANSWERED
        except BaseException as error:
            if isinstance(error, Exception):
                outcome = error.code if isinstance(error, Error) else Error.code
            await turn.end(error)
            raise
        finally:
            self.budget.retries -= again
            now = self.clock.tick()
            self._count(turn.offer.label, outcome, now - turn.began)
            if hold.tried is not None:
                hold.tried.append(
                    Tried(
                        turn.offer, turn.at, turn.deployment, turn.number, turn.began, now, outcome
                    )
                )
        return found

    async def _call(
        self, ask: Ask, turn: Turn, hold: Hold, timeouts: TimeoutSettings, shown: Headers
    ) -> Answer:
        offer, at = turn.offer, turn.at
        speak = offer.chat
        if speak is None:
            raise BadRequest(
                f"{offer.name} serves no chat.", code="unsupported_field", param="model"
            )
        cap = offer.cap if hold.capped and not ask.max_output else None
        id, created = hold.account.request_id, int(self.clock.now())
        call = Call(ask, offer.target, at, id, created, cap)
        request = speak.chat(call)
        request.headers = [*request.headers, *speak.key_headers(at), *marks(hold, turn), *shown]
        request.timeouts = bounds(timeouts)
        await hold.dispatch(turn.number, offer, offer.most(ask, capped=hold.capped))
        start = self.clock.tick()
        response = await self.fetch(offer, request, call.id, call.created)
        answer = Answer(turn, response, speak.decoder(call), self.clock, start + timeouts.total)
        answer.waited = self.clock.tick() - start
        try:
            if not 200 <= response.status < 300:
                raise speak.failure(response.status, response.headers, await error_body(response))
            await answer.open()
        except BaseException as error:
            await turn.end(error)
            await answer.aclose()
            raise
        return answer

    def _tour(self, offers: Sequence[Offer], need: Need, begun: Turn | None) -> Tour:
        return Tour(offers, self._fleet, self.clock, self._meter, need, begun)

    async def _following(self, failure: Failed, tried: Turn, tour: Tour) -> Turn | None:
        """Another attempt, None where none may be made; waits the jittered back-off where it is the same place again."""
        unbilled = failure.processed == "no" or (
            failure.processed == "unknown" and tried.at.idempotent
        )
        if not (unbilled and failure.retryable and self.budget.may_retry()):
            return None
        if failure.processed == "no":
            # What one deployment finds fault with in a request, the others of its target do too.
            turn = await tour.elsewhere(at_all=failure.status != 400)
            if turn is not None:
                return turn
        if not (failure.processed == "no" or tour.same_next):
            # An unknown outcome may only be repeated where it cannot be charged twice: at the same place.
            return None
        asked = failure.retry_after or 0.0
        if lasting(failure.upstream_status) or asked > MOST_WAIT_SECONDS:
            return None
        await self.clock.sleep(asked + self._ids.fraction() * BACKOFF_SECONDS * 2**tried.number)
        return await tour.again()


def lasting(status: int) -> bool:
    """Whether the same target would only say this again: a wrong key or model, a redirect."""
    return 300 <= status < 500 and status not in PASSING


def bounds(settings: TimeoutSettings) -> Timeouts:
    """A route's time-outs as a request carries them."""
    return Timeouts(settings.connect, settings.first_byte, settings.idle, settings.total)


async def error_body(response: Response) -> bytes:
    """The start of an error reply, for its code; a large one is not read further."""
    if isinstance(response.body, bytes):
        return response.body[:ERROR_BODY]
    try:
        return await collect(response.body, ERROR_BODY)
    except TooLarge:
        return b""


def marks(hold: Hold, turn: Turn) -> Headers:
    """The headers that name an attempt to its provider, for looking it up there. One that recognises repeats gets
    the name of the first attempt at this deployment as the key of all of them."""
    id = hold.account.request_id
    name = ("x-request-id", f"{id}.{turn.number}")
    if not turn.at.idempotent:
        return (name,)
    return name, ("idempotency-key", f"{id}.{turn.first}")
