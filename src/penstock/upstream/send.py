"""Targets in order until the first event, which is the commit point: after it there is no failover."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from penstock.auth import calls
from penstock.config import Route, TimeoutSettings
from penstock.errors import BadRequest, Error, Failed, TooLarge, Unavailable
from penstock.limits.hold import Hold
from penstock.ports import Clock, Fetch, Ids, Runner
from penstock.providers import Call, sandbox
from penstock.routing.offers import Offer
from penstock.upstream.answer import Answer
from penstock.upstream.budget import RetryBudget
from penstock.wire.chat import Ask
from penstock.wire.http import Headers, Request, Response, Timeouts, collect

MOST_WAIT_SECONDS = 2.0
BACKOFF_SECONDS = 0.1
ERROR_BODY = 64 << 10
PASSING = frozenset({408, 409, 425, 429})
"""Refusals below 500 that pass by themselves."""
T = TypeVar("T")
Attempt = Callable[[Offer, int], Awaitable[T]]
"""One attempt at one offer, numbered from 1."""

Count = Callable[[str, str], None]
"""Told each attempt's target and what it came to."""
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
    ) -> None:
        self._fetch = fetch
        self._ids = ids
        self._count = count
        self._secret = secret
        self.clock = clock
        self.runner = runner
        self.budget = budget or RetryBudget()

    async def send(
        self, ask: Ask, offers: Sequence[Offer], hold: Hold, route: Route, shown: Headers = ()
    ) -> Answer:
        """The answer of the first target that gives one, a service being `shown` who asks; raises Failed, or
        Unavailable where there is no target."""

        async def call(offer: Offer, attempt: int) -> Answer:
            named = marks(hold, offers, offer, attempt)
            if offer.at.kind == "service":
                until = self.clock.now() + route.timeouts.total
                of = f"{hold.account.request_id}.{attempt}"
                named = (*named, *shown, (calls.NAME, calls.mark(of, until, self._secret)))
            return await self._call(ask, offer, attempt, hold, named, route.timeouts)

        return await self.tries(offers, hold, route.attempts, call)

    async def tries(
        self, offers: Sequence[Offer], hold: Hold, attempts: int, call: Attempt[T]
    ) -> T:
        """What the first successful attempt brings; another one follows only a failure that surely cost nothing, or
        at a target that recognises the repeat."""
        unsure = False
        self.budget.firsts += 1
        try:
            for attempt in range(1, attempts + 1):
                offer = offers[(attempt - 1) % len(offers)]
                try:
                    return await self._within_budget(call, offer, attempt)
                except Failed as failure:
                    if failure.upstream_status or failure.processed == "no":
                        hold.unprocessed()
                    if unsure and failure.processed == "no":
                        # An attempt before this one may have been processed all the same.
                        failure.processed = "unknown"
                    unsure = failure.processed != "no"
                    following = offers[attempt % len(offers)]
                    if attempt == attempts or not await self._may_repeat(
                        failure, offer, following, attempt
                    ):
                        raise
        finally:
            self.budget.firsts -= 1
        raise Unavailable("No target is configured for this route.")

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

    async def _within_budget(self, call: Attempt[T], offer: Offer, attempt: int) -> T:
        retry = attempt > 1
        self.budget.retries += retry
        outcome = CANCELLED
        try:
            found = await call(offer, attempt)
            outcome = ANSWERED
        except Exception as error:
            outcome = error.code if isinstance(error, Error) else Error.code
            raise
        finally:
            self.budget.retries -= retry
            self._count(offer.label, outcome)
        return found

    async def _call(
        self,
        ask: Ask,
        offer: Offer,
        attempt: int,
        hold: Hold,
        named: Headers,
        timeouts: TimeoutSettings,
    ) -> Answer:
        speak = offer.chat
        if speak is None:
            raise BadRequest(
                f"{offer.name} serves no chat.", code="unsupported_field", param="model"
            )
        cap = offer.cap if hold.capped and not ask.max_output else None
        id, created = hold.account.request_id, int(self.clock.now())
        call = Call(ask, offer.target, offer.at, id, created, cap)
        request = speak.chat(call)
        request.headers = [*request.headers, *speak.key_headers(offer.at), *named]
        request.timeouts = bounds(timeouts)
        await hold.dispatch(attempt, offer, offer.most(ask, capped=hold.capped))
        start = self.clock.tick()
        response = await self.fetch(offer, request, call.id, call.created)
        answer = Answer(
            offer, attempt, response, speak.decoder(call), self.clock, start + timeouts.total
        )
        answer.waited = self.clock.tick() - start
        try:
            if not 200 <= response.status < 300:
                raise speak.failure(response.status, response.headers, await error_body(response))
            await answer.open()
        except BaseException:
            await answer.aclose()
            raise
        return answer

    async def _may_repeat(
        self, failure: Failed, tried: Offer, following: Offer, attempt: int
    ) -> bool:
        """Whether another attempt may be made; waits the jittered back-off where it is the same target again."""
        unbilled = failure.processed == "no" or (
            failure.processed == "unknown" and tried.at.idempotent
        )
        if not (unbilled and failure.retryable and self.budget.may_retry()):
            return False
        if following is not tried:
            # An unknown outcome may only be repeated where it cannot be charged twice: at the same target.
            return failure.processed == "no"
        asked = failure.retry_after or 0.0
        if lasting(failure.upstream_status) or asked > MOST_WAIT_SECONDS:
            return False
        await self.clock.sleep(asked + self._ids.fraction() * BACKOFF_SECONDS * 2**attempt)
        return True


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


def marks(hold: Hold, offers: Sequence[Offer], offer: Offer, attempt: int) -> Headers:
    """The headers that name an attempt to its provider, for looking it up there. One that recognises repeats gets
    the name of the first attempt at this target as the key of all of them."""
    id = hold.account.request_id
    name = ("x-request-id", f"{id}.{attempt}")
    if not offer.at.idempotent:
        return (name,)
    return name, ("idempotency-key", f"{id}.{offers.index(offer) + 1}")
