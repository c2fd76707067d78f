"""What requests count while they are in the air, where one may be killed and never take it back: on Workers."""

from __future__ import annotations

from penstock.gateway.bodies import Bodies
from penstock.upstream.budget import RetryBudget
from penstock.upstream.deployments import Fleet
from penstock.upstream.pools import Pools

PERIOD_SECONDS = 600.0
"""Between two new beginnings. Most requests are shorter; a stream may be longer, and is then no longer counted."""


class Air:
    """The counts of requests in the air. Each period begins with new ones, so that what a killed request left is forgotten.

    A request gives back to those it took from. Room of bodies is counted for one more period: it bounds memory.
    """

    __slots__ = ("_since", "bodies", "retries")

    def __init__(self, now: float) -> None:
        self.bodies = Bodies()
        self.retries = RetryBudget()
        self._since = now

    def renew(self, pools: Pools, fleet: Fleet, now: float) -> None:
        """Begins anew where the period is over."""
        if now - self._since < PERIOD_SECONDS:
            return
        lapsed = now - self._since >= 2 * PERIOD_SECONDS
        self.bodies = Bodies(self.bodies.most, None if lapsed else self.bodies)
        self.retries = RetryBudget()
        pools.forget()
        fleet.forget()
        self._since = now


class Regular:
    """Something that is done at most once in so many seconds, whoever asks."""

    __slots__ = ("_at", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._at = float("-inf")

    def due(self, now: float) -> bool:
        """Whether it is time; then whoever asked does it."""
        if now < self._at:
            return False
        self._at = now + self._seconds
        return True
