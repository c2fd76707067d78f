"""The hold of a request: token rates first, then the reserve, both or none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from penstock.auth.caller import Caller
from penstock.errors import BadRequest, Error
from penstock.gateway.exchange import Exchange
from penstock.ledger.book import Account
from penstock.limits.hold import Hold
from penstock.limits.rates import TOKENS, Rates, refusal
from penstock.ports import Demand, Denial, Lease, Platform
from penstock.routing.offers import Offer
from penstock.routing.policies import Choice

if TYPE_CHECKING:
    from penstock.gateway.delivery import Delivery

MINUTE = 60


class Limits:
    """Takes token rates from the meter and reserves the dearest target that may be tried."""

    def __init__(self, platform: Platform, rates: Rates) -> None:
        self._platform = platform
        self.rates = rates

    async def hold(self, delivery: Delivery, choice: Choice) -> Hold:
        """A chat's hold; raises RateLimited, Unavailable."""
        assert delivery.way is not None
        settings = delivery.way.settings
        tried = choice.offers[: settings.attempts]
        most = max(offer.most(delivery.ask).total for offer in tried)
        reserve = max(offer.reserve(delivery.ask) for offer in tried)
        whose = account(delivery.exchange, delivery.way.name, "chat")
        delivery.hold = await self.open(
            delivery.exchange, whose, tried, most, reserve, settings.timeouts.total
        )
        return delivery.hold

    async def open(
        self,
        exchange: Exchange,
        account: Account,
        tried: Sequence[Offer],
        most: int,
        reserve: int,
        total: float,
    ) -> Hold:
        """Takes the tokens, writes the reserve; a failure of the second gives the first back."""
        lease = await self._tokens(exchange, most)
        platform = self._platform
        hold = Hold(platform.tables, platform.meter, platform.clock, account, reserve, lease)
        exchange.holds += (hold,)
        try:
            await hold.open(tried[0], total)
        except Error:
            if lease is not None:
                await platform.meter.give(lease)
            raise
        except BaseException:
            # The caller left meanwhile: the rows may stand all the same, so they are ended behind them.
            await hold.close()
            raise
        return hold

    async def _tokens(self, exchange: Exchange, most: int) -> Lease | None:
        caller = exchange.caller
        limit = self.rates.tier(caller).tokens_per_minute
        if not limit:
            return None
        if most > limit:
            raise BadRequest(
                f"This may take {most} tokens, more than the {limit} a minute of your tier: send less,"
                " or a smaller max_tokens.",
                code="beyond_token_rate",
            )
        demand = Demand("tokens", TOKENS, f"{TOKENS}:{{{caller.owner}}}", limit, MINUTE, most)
        took = await self._platform.meter.take((demand,))
        exchange.token_standing = took.standings[0] if took.standings else None
        if isinstance(took, Denial):
            raise refusal(took, caller)
        return took


def account(exchange: Exchange, route: str, service: str) -> Account:
    """The ledger's columns of a request."""
    caller: Caller = exchange.caller
    return Account(
        exchange.id, caller.owner, caller.tenant, caller.sub, caller.key_id, route, service
    )
