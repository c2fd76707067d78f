"""The deployments of every target as they stand in this process, and which of them takes the next attempt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from penstock.config import Config
from penstock.config.reached import Reached, reached
from penstock.ports import Demand, Standing
from penstock.routing.offers import Offer
from penstock.upstream import balance
from penstock.upstream.health import Member, Pool

MINUTE = 60
MOST_COOLING_SECONDS = 60.0
"""Whatever a target asks for: one caller's refusal must not keep it from all others for long."""
REQUESTS, TOKENS = "deployment-requests", "deployment-tokens"
"""The meter's policies."""
SHORTEST_SECONDS = 0.001
MOST_FULL_SECONDS = 1.0
"""After which a deployment without tokens is asked for room again: another process may have given some back."""


class Deployed:
    """One deployment of one target. `at` is its provider as it is reached there, with its key; `free_at` when it may be
    asked again, `cool_until` if it said so itself."""

    __slots__ = ("_used", "_used_at", "_whole", "at", "cool_until", "cooled", "demands", "free_at", "member", "name",
                 "picks", "requests", "tokens", "url")  # fmt: skip

    def __init__(self, owner: str, one: Reached, now: float) -> None:
        self.name = one.name
        self.url = one.at.base_url
        self.member = Member(self.url, one.settings.weight, "", probed=False, now=now)
        self.free_at = self.cool_until = float("-inf")
        self.picks = self.cooled = 0
        self._used = 0.0
        self._used_at = now
        self._whole = float(MINUTE)
        self.told(owner, one)

    def told(self, owner: str, one: Reached) -> None:
        """Its settings, now or again: all else that is known of it stays."""
        settings = one.settings
        self.at = one.at
        self.member.weight = settings.weight
        self.requests, self.tokens = settings.requests_per_minute, settings.tokens_per_minute
        name = f"deployment:{{{owner}:{one.name}}}"  # a hash tag: both counts lie together
        self.demands: tuple[Demand, ...] = ()
        if self.requests:
            self.demands = (Demand("rate", REQUESTS, name, self.requests, MINUTE),)
        if self.tokens:
            self.demands += (Demand("tokens", TOKENS, name, self.tokens, MINUTE),)

    def cool(self, seconds: float, now: float) -> None:
        """It asked to be left alone for so long."""
        self.cooled += 1
        self.cool_until = now + min(seconds, MOST_COOLING_SECONDS)
        self.free_at = max(self.free_at, self.cool_until)

    def full(self, seconds: float, now: float) -> None:
        """Its limits are used up for so long; tokens perhaps for less, for calls that end give back what they did not take."""
        most = MOST_FULL_SECONDS if self.tokens else float(MINUTE)
        wait = min(max(seconds, SHORTEST_SECONDS), most)
        self._note(1.0, wait, now)
        self.free_at = max(self.free_at, now + wait)

    def room(self) -> None:
        """A call gave back tokens that it did not take."""
        self.free_at = self.cool_until

    def stands(self, standings: Sequence[Standing], now: float) -> None:
        """How its limits stand, as the meter has just said."""
        for at, one in enumerate(standings):
            used = 1 - one.remaining / one.limit
            if at == 0 or used > self._used:
                self._note(used, max(one.reset, SHORTEST_SECONDS), now)

    def share(self, now: float) -> float:
        """How much of its limits is used, from 0 to 1, as far as it is known here: what was used runs out with the minute."""
        return self._used * max(0.0, 1 - (now - self._used_at) / self._whole)

    def _note(self, used: float, whole: float, now: float) -> None:
        self._used, self._whole, self._used_at = used, whole, now


class Deployments:
    """Those of one target."""

    __slots__ = ("_limited", "_of", "each", "pool")

    def __init__(self, each: Sequence[Deployed]) -> None:
        self.become(each)

    def become(self, each: Sequence[Deployed]) -> None:
        """These from now on; an attempt that is in the air ends here all the same."""
        self.each = tuple(each)
        self.pool = Pool([one.member for one in each], "least")
        self._of = {one.member: one for one in each}
        self._limited = all(one.demands for one in each)

    def pick(self, now: float, tried: Sequence[Deployed] = (), warm: str = "") -> Deployed | None:
        """The least loaded of those that may be asked now and were not tried; None where there is none.

        One that is `warm` goes before, while it is well. By the share of their limits that is used where all have limits, else by what is in the air; for their weight.
        One that keeps failing is taken where no other is left.
        """
        each = self.each
        if len(each) == 1:
            one = each[0]
            return one if one.free_at <= now and one not in tried else None
        self.pool.serving(now)  # some may be forgiven by now
        free = [one for one in each if one.free_at <= now and one not in tried]
        found = [one.member for one in free if not one.member.out] or [one.member for one in free]
        if not found:
            return None
        if warm:
            found = [one for one in found if self._of[one].name == warm and not one.bad] or found
        if len(found) == 1:
            return self._of[found[0]]

        def load(member: Member) -> Any:
            share = self._of[member].share(now) if self._limited else 0.0
            return share / member.weight, balance.in_air(member)

        return self._of[balance.least(found, load)]

    def well(self, now: float, name: str = "") -> bool:
        """Whether one of them, or the one of this name, may be asked now and does not keep failing."""
        self.pool.serving(now)
        return any(
            one.free_at <= now and not one.member.bad
            for one in self.each
            if not name or one.name == name
        )

    def free_at(self) -> float:
        """When the first of them may be asked again."""
        return min([one.free_at for one in self.each])


class Fleet:
    """All targets' deployments, by the names that targets are counted by."""

    def __init__(self) -> None:
        self._known: dict[str, Deployments] = {}

    def renew(self, config: Config, now: float) -> None:
        """As they are configured now: what is known of one that stays, by its name and address, stays with it."""
        places = {
            f"{name}/*": reached(at)
            for name, at in config.providers.items()
            if at.any_model or at.kind == "sandbox"
        }
        for target in config.targets:
            places[target.name] = reached(config.providers[target.provider], target)
        self._known = {label: self._renewed(label, found, now) for label, found in places.items()}

    def of(self, offer: Offer) -> Deployments | None:
        """Those of an offer; None of one that is configured no more, or is called with a tenant's own key: of that nothing is kept."""
        return None if offer.own else self._known.get(offer.label)

    def forget(self) -> None:
        """As pools do."""
        for found in self._known.values():
            for one in found.each:
                one.member.forget()

    def items(self) -> Iterator[tuple[str, Deployments]]:
        """All that were asked, or of which a target has several."""
        for label, found in self._known.items():
            if len(found.each) > 1 or found.each[0].picks:
                yield label, found

    def _renewed(self, label: str, places: Sequence[Reached], now: float) -> Deployments:
        found = self._known.get(label)
        if found is None:
            return Deployments([Deployed(label, one, now) for one in places])
        known = {(one.name, one.url): one for one in found.each}
        found.become([_stays(known, label, one, now) for one in places])
        return found


def alone(offer: Offer) -> Deployments:
    """A single one of which nothing is known."""
    return Deployments([Deployed(offer.label, reached(offer.at)[0], 0.0)])


def _stays(
    known: dict[tuple[str, str], Deployed], label: str, place: Reached, now: float
) -> Deployed:
    one = known.get((place.name, place.at.base_url))
    if one is None:
        return Deployed(label, place, now)
    if one.at.api_key != place.at.api_key:
        one.member.failures, one.member.bad = 0, False  # it may have failed for its key
    one.told(label, place)
    return one
