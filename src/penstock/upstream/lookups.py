"""Asks providers what calls took, and stops asking one that does not answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from penstock.config import Provider
from penstock.config.reached import reached
from penstock.errors import Failed, TooLarge
from penstock.ledger.book import OWN, Charged
from penstock.ports import Fetch
from penstock.prices import Price, amount_nanos
from penstock.providers import CHAT
from penstock.providers.lookup import MAX_REPLY, looked_up, lookup
from penstock.wire.chat import Usage
from penstock.wire.http import Timeouts, collect

TIMEOUTS = Timeouts(connect=2.0, first_byte=5.0, idle=5.0, total=10.0)
FAILURES = 3
"""Failures in a row after which a provider is not asked again in the same pass."""


class Attempt(Struct, frozen=True):
    """One dispatched row: where the call went, its frozen price, and the most it could take."""

    number: int
    what: Charged
    price: Price
    most: Usage


class Truth(Struct, frozen=True):
    """What a request really took, of all its attempts at a target together."""

    usage: Usage
    amount: int


class Lookups:
    """One pass's questions to the providers that can be asked."""

    def __init__(self, fetch: Fetch, providers: Mapping[str, Provider]) -> None:
        self._fetch = fetch
        self._providers = providers
        self._failures: dict[str, int] = {}

    def asks(self, provider: str) -> bool:
        """Whether this provider can tell what a call took."""
        at = self._providers.get(provider)
        return at is not None and bool(at.usage_lookup)

    async def truth(self, request_id: str, attempts: Sequence[Attempt]) -> Truth | None:
        """What these attempts at one target took; None where it cannot be learnt now."""
        name = attempts[-1].what.provider
        if any(attempt.what.target.startswith(OWN) for attempt in attempts):
            return None  # it is in the tenant's account
        if not self.asks(name) or self._failures.get(name, 0) >= FAILURES:
            return None
        parts, amount = [], 0
        try:
            for attempt in attempts:
                usage = await self._asked(self._providers[name], f"{request_id}.{attempt.number}")
                parts.append(usage)
                # Each call was charged by itself, so each is rounded by itself.
                amount += amount_nanos(attempt.price, usage)
        except Failed as failure:
            # "Not yet" is an answer: only a provider that cannot be asked is left alone.
            self._failures[name] = self._failures.get(name, 0) + (failure.upstream_status != 200)
            return None
        self._failures[name] = 0
        return Truth(_sum(parts), amount)

    async def _asked(self, provider: Provider, mark: str) -> Usage:
        """By whichever deployment took the call; nothing where each says that it took none."""
        for one in reached(provider):
            usage = await self._ask(one.at, mark)
            if usage is not None:
                return usage
        return Usage()

    async def _ask(self, at: Provider, mark: str) -> Usage | None:
        request = lookup(at, mark)
        request.headers = [*request.headers, *CHAT[at.kind].key_headers(at)]
        request.timeouts = TIMEOUTS
        try:
            response = await self._fetch(request)
            try:
                body = response.body
                if not isinstance(body, bytes):
                    body = await collect(body, MAX_REPLY)
            finally:
                await response.aclose()
        except TooLarge as error:
            raise Failed("The target's usage look-up is too large.") from error
        return looked_up(response.status, body)


def _sum(parts: Sequence[Usage]) -> Usage:
    return Usage(
        sum(part.input for part in parts),
        sum(part.cached_input for part in parts),
        sum(part.cache_write for part in parts),
        sum(part.output for part in parts),
        sum(part.reasoning for part in parts),
    )
