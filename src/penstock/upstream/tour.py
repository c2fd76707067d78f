"""Where one request is tried: by one deployment of a target, by its others, at the next target, and round again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from msgspec.structs import replace

from penstock.config import Provider
from penstock.errors import Cooling, Cut, Failed, Unavailable
from penstock.ports import Clock, Denial, Lease, Meter
from penstock.routing.offers import Offer
from penstock.upstream.deployments import SHORTEST_SECONDS, Deployed, Deployments, Fleet, alone

Need = Callable[[Offer], int]
"""The most tokens that the request can be at an offer."""
ASKS_TOO_MUCH = 429
NOT_THERE = 404
OF_CALLER = frozenset({401, 403, ASKS_TOO_MUCH})
NEUTRAL = frozenset({409, 425, ASKS_TOO_MUCH})
"""Statuses that say nothing of a deployment's health."""


class Turn:
    """One attempt at one deployment, until its answer has ended: then that is told, once.

    `number` counts the request's attempts; `first` is that of its first attempt here.
    """

    __slots__ = ("_clock", "_ended", "_lease", "_meter", "_of", "_period", "at", "began", "first", "number",
                 "offer", "one")  # fmt: skip

    def __init__(
        self,
        offer: Offer,
        of: Deployments,
        one: Deployed,
        number: int,
        first: int,
        clock: Clock,
        now: float,
        meter: Meter | None = None,
        lease: Lease | None = None,
    ) -> None:
        self.offer = offer
        self.one = one
        self.at: Provider = one.at
        self.number = number
        self.first = first
        self._of = of
        self._clock = clock
        self._meter = meter
        self._lease = lease
        self.began = now
        self._ended = False
        self._period = one.member.turn
        one.picks += 1
        one.member.in_air += 1

    @property
    def deployment(self) -> str:
        """The deployment's name, empty where the target has no other."""
        return self.one.name if len(self._of.each) > 1 else ""

    async def end(self, error: BaseException | None = None, used: int | None = None) -> None:
        """It went well, or failed, or (any other error) its caller left; `used` are its tokens, where they are known."""
        if self._ended:
            return
        self._ended = True
        member = self.one.member
        if self._period == member.turn:
            member.in_air -= 1
        if error is None:
            if member.failures or member.in_row:
                self._of.pool.succeeded(member, self.began, self._clock.tick())
        elif isinstance(error, Failed):
            self._failed(error)
            if error.upstream_status or error.processed == "no":
                used = 0
        if self._lease is not None:
            await self._give(self._lease, used)

    def _failed(self, error: Failed) -> None:
        pool, member, now = self._of.pool, self.one.member, self._clock.tick()
        status = error.upstream_status
        if self.at.kind == "service" and status in OF_CALLER:
            return  # it was shown the caller's own credential, and speaks of that one
        if status == ASKS_TOO_MUCH and error.retry_after:
            self.one.cool(error.retry_after, now)
        if error.status == 400:
            pool.succeeded(member, self.began, now)  # it found fault with the request
        elif not (
            status in NEUTRAL
            or isinstance(error, Cut)
            or (status == NOT_THERE and not self.offer.configured)
        ):
            pool.failed(member, now)

    async def _give(self, lease: Lease, used: int | None) -> None:
        assert self._meter is not None
        most = max([demand.amount for demand in lease.demands if demand.kind == "tokens"])
        with suppress(Unavailable):
            await self._meter.give(lease, most if used is None else used)
            self.one.room()


def at_once(offer: Offer, fleet: Fleet, clock: Clock) -> Turn | None:
    """The first attempt, where a deployment without limits takes it: so it is mostly, and needs neither wait nor tour."""
    of, now = fleet.of(offer), clock.tick()
    one = of.pick(now, (), offer.deployment) if of is not None else None
    if of is None or one is None or one.demands:
        return None
    return Turn(offer, of, one, 1, 1, clock, now)


class Tour:
    """The attempts of one request, in turn, after the one that has `begun` it."""

    __slots__ = ("_at", "_clock", "_firsts", "_fleet", "_lone", "_meter", "_need", "_number", "_offers", "_tried")  # fmt: skip

    def __init__(
        self,
        offers: Sequence[Offer],
        fleet: Fleet,
        clock: Clock,
        meter: Meter | None,
        need: Need,
        begun: Turn | None = None,
    ) -> None:
        self._offers = offers
        self._fleet = fleet
        self._clock = clock
        self._meter = meter
        self._need = need
        self._at = 0
        self._number = begun.number if begun else 0
        self._tried: list[Deployed] = [begun.one] if begun else []
        self._firsts: dict[Deployed, int] = {begun.one: begun.number} if begun else {}
        self._lone: dict[int, Deployments] = {}

    async def first(self) -> Turn:
        """The first attempt; raises Cooling where no deployment of any target may be asked now."""
        turn = await self._of_these(range(len(self._offers)))
        if turn is None:
            now = self._clock.tick()
            free_at = min([self._of(at).free_at() for at in range(len(self._offers))])
            raise Cooling(retry_after=max(SHORTEST_SECONDS, free_at - now))
        return turn

    async def elsewhere(self, *, at_all: bool) -> Turn | None:
        """Another deployment than the one that was tried last: of the same target if `at_all` its deployments may do
        better, of another target, or again one that was tried before."""
        count, here = len(self._offers), self._at
        others = [(here + step) % count for step in range(1, count)]
        turn = await self._of_these([here, *others] if at_all else others)
        if turn is None:
            del self._tried[:-1]
            turn = await self._of_these([*others, here] if at_all else others)
        return turn

    async def again(self) -> Turn | None:
        """The same deployment once more, if its limits have room."""
        at = self._next if self.same_next else self._at
        return await self._taken(at, self._tried[-1])

    @property
    def same_next(self) -> bool:
        """Whether the route's next target is the same: it has no other, or it names this one twice."""
        return self._offers[self._next] is self._offers[self._at]

    @property
    def _next(self) -> int:
        return (self._at + 1) % len(self._offers)

    def _of(self, at: int) -> Deployments:
        found = self._fleet.of(self._offers[at]) or self._lone.get(at)
        if found is None:
            found = self._lone[at] = alone(self._offers[at])
        return found

    async def _of_these(self, places: Iterable[int]) -> Turn | None:
        for at in places:
            of, tried, warm = self._of(at), self._tried, self._offers[at].deployment
            while (one := of.pick(self._clock.tick(), tried, warm)) is not None:
                if turn := await self._taken(at, one, of):
                    return turn
                tried = [*tried, one]
        return None

    async def _taken(self, at: int, one: Deployed, of: Deployments | None = None) -> Turn | None:
        """An attempt there; None where the limits are used up, which it then knows."""
        offer, lease = self._offers[at], None
        if one.demands and self._meter is not None:
            lease = await self._lease(offer, one, self._meter)
            if lease is None:
                return None
        held = lease if one.tokens else None
        return self._turn(at, one, of or self._of(at), self._clock.tick(), held)

    def _turn(
        self, at: int, one: Deployed, of: Deployments, now: float, lease: Lease | None = None
    ) -> Turn:
        # The first attempt is in the books before it is made, as the first target's.
        self._number += 1 if self._number or at == 0 else 2
        self._at = at
        self._tried.append(one)
        first = self._firsts.setdefault(one, self._number)
        offer, number = self._offers[at], self._number
        return Turn(offer, of, one, number, first, self._clock, now, self._meter, lease)

    async def _lease(self, offer: Offer, one: Deployed, meter: Meter) -> Lease | None:
        demands = one.demands
        if one.tokens:
            # What is larger than the limit takes all of it.
            most = min(self._need(offer), one.tokens)
            demands = (*demands[:-1], replace(demands[-1], amount=most))
        took = await meter.take(demands)
        now = self._clock.tick()
        if isinstance(took, Denial):
            one.full(took.retry_after, now)
            return None
        one.stands(took.standings, now)
        return took
