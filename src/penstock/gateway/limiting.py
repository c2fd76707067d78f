"""The hold of a request: token rates and a place among its parallel calls first, then the reserve, all or none."""

from __future__ import annotations

from collections.abc import Container, Sequence
from contextlib import suppress
from copy import copy
from typing import TYPE_CHECKING

from penstock.auth.caller import Caller
from penstock.config import Config
from penstock.errors import BadRequest, Conflict, Error, OutOfBudget, Unavailable, Unheard
from penstock.gateway.exchange import Exchange
from penstock.gateway.later import later
from penstock.ledger import budgets as counters
from penstock.ledger.book import Account
from penstock.ledger.budgets import Held
from penstock.limits import budgets
from penstock.limits.budgets import Applied, Budgets
from penstock.limits.hold import GRACE_MS, Hold, Spent
from penstock.limits.rates import PARALLEL, TOKENS, Rates, refusal
from penstock.ports import Demand, Denial, Lease, Platform
from penstock.routing.offers import Offer
from penstock.routing.policies import Choice
from penstock.wire.chat import Usage

if TYPE_CHECKING:
    from penstock.gateway.delivery import Delivery

MINUTE = 60


class Limits:
    """Takes token rates and parallel calls from the meter, and reserves the dearest target that may be tried."""

    def __init__(self, config: Config, platform: Platform, spent: Spent) -> None:
        self._platform = platform
        self._spent = spent
        self._unpriced = config.server.unpriced
        self._budgets = Budgets(config)
        self.rates = Rates(config, platform.meter)

    def on(self, platform: Platform) -> Limits:
        """The same limits, counted on another platform."""
        other = copy(self)
        other._platform, other.rates = platform, self.rates.on(platform.meter)
        return other

    def payable(
        self, caller: Caller, route: str, offers: Sequence[Offer], own: Container[str] = ()
    ) -> tuple[Offer, ...]:
        """The offers that this caller may be sent to, by what the operator says of those without a price; the providers
        of whom the tenant has its `own` key cost us nothing. Raises BadRequest where none is left."""
        priced = tuple([one for one in offers if one.priced or one.target.provider in own])
        if len(priced) == len(offers) or self._unpriced == "allow":
            return tuple(offers)
        if self._unpriced == "budget" and not budgets.money(self._budgets.of(caller, route)):
            return tuple(offers)
        if not priced:
            raise BadRequest(
                f"No price is known for {offers[0].name}, so it cannot be called here: name another model,"
                " or have its price added to the configuration.",
                code="unpriced_target",
                param="model",
            )
        return priced

    async def hold(self, delivery: Delivery, choice: Choice) -> Hold:
        """A chat's hold; raises RateLimited, OutOfBudget, Unavailable."""
        assert delivery.way is not None
        settings = delivery.way.settings
        ask, tried = delivery.ask, choice.offers[: settings.attempts]
        # Under a budget a call has an output cap, so that it cannot cost more than was reserved for it.
        capped = bool(self._applied(delivery.exchange, delivery.way.name))
        most = max(offer.most(ask, capped=capped).total for offer in tried)
        reserve = max(offer.reserve(ask, capped=capped) for offer in tried)
        whose = account(delivery.exchange, delivery.way.name, delivery.face.verb)
        delivery.hold = await self.open(
            delivery.exchange,
            whose,
            tried,
            most,
            reserve,
            settings.timeouts.total,
            tried[0].most(ask, capped=capped),
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
        first: Usage,
    ) -> Hold:
        """Takes the lease, writes the reserve; a failure of the second gives the first back. `first` bounds the first attempt."""
        lease = await self._lease(exchange, most, int(total) + GRACE_MS // 1000)
        platform, now = self._platform, int(self._platform.clock.now() * 1000)
        applied = self._applied(exchange, account.route)
        held = budgets.hold(applied, now, reserve, most)
        hold = Hold(
            platform.tables, platform.meter, platform.clock, account, reserve, lease, held,
            capped=bool(applied), spent=self._spent,
        )  # fmt: skip
        if exchange.trace is not None:
            hold.tried = []
        exchange.holds += (hold,)
        also, exchange.also = exchange.also, ()
        try:
            await hold.open(tried[0], total, first, also)
        except Error as error:
            if lease is not None:
                with suppress(Unavailable):
                    await platform.meter.give(lease)
            if isinstance(error, Unheard):
                platform.spawn(self._abandon(hold))
            if isinstance(error, Conflict) and error.name == counters.CAP:
                raise await self._out_of_budget(held, now) from error
            raise
        except BaseException:
            # The caller left meanwhile: the rows may stand all the same.
            await hold.abandon()
            raise
        return hold

    def _applied(self, exchange: Exchange, route: str) -> Sequence[Applied]:
        """The budgets a request counts to: what it is a part of was reserved in them already."""
        return () if exchange.inner else self._budgets.of(exchange.caller, route)

    async def _abandon(self, hold: Hold) -> None:
        """Nothing was sent under it; what is left to it after the last try, the reconciler ends."""
        await later(self._platform, hold.abandon)

    async def _out_of_budget(self, held: Sequence[Held], now: int) -> OutOfBudget:
        tables = self._platform.tables
        return budgets.refusal([(one, *await counters.counted(tables, one)) for one in held], now)

    async def _lease(self, exchange: Exchange, most: int, seconds: int) -> Lease | None:
        """What of the meter a call has until it ends, if its tier limits any of it."""
        if exchange.inner:
            return None
        caller, tier = exchange.caller, self.rates.tier(exchange.caller)
        limit, demands = tier.tokens_per_minute, []
        if limit:
            if most > limit:
                raise BadRequest(
                    f"This may take {most} tokens, more than the {limit} a minute of your tier: send less,"
                    " or a smaller max_tokens.",
                    code="beyond_token_rate",
                )
            demands.append(
                Demand("tokens", TOKENS, f"{TOKENS}:{{{caller.owner}}}", limit, MINUTE, most)
            )
        if tier.parallel:
            key = f"{PARALLEL}:{{{caller.owner}}}"
            demands.append(Demand("parallel", PARALLEL, key, tier.parallel, seconds))
        if not demands:
            return None
        took = await self._platform.meter.take(demands)
        exchange.token_standing = took.standings[0] if took.standings else None
        if isinstance(took, Denial):
            raise refusal(took, caller, tier.parallel)
        return took


def account(exchange: Exchange, route: str, service: str) -> Account:
    """The ledger's columns of a request."""
    caller: Caller = exchange.caller
    return Account(
        exchange.id, caller.owner, caller.tenant, caller.sub, caller.key_id, route, service
    )
