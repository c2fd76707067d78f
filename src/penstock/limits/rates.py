"""Request rates by endpoint and tier: one atomic take a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy

from msgspec import Struct

from penstock.auth import refusals
from penstock.auth.caller import Caller
from penstock.config import Config, Limit, Tier
from penstock.errors import RateLimited, Unauthorized
from penstock.ports import Demand, Denial, Lease, Meter, Standing

TIER = "tier"
TOKENS = "tokens"
PARALLEL = "parallel"
MOST_SLEPT = 60
"""Seconds of a wait that an SDK may sleep through; npm's sleeps as long as it is told, an hour if need be."""
NO_RETRY = ("x-should-retry", "false")
AI_ENDPOINTS = frozenset({"chat", "embed", "rag", "documents"})
UPGRADE = "Upgrade to Pro for 10x more requests"
_ENDPOINT_LIMIT = {"embed": "other", "documents": "other"}
MOST_READY = 10_000


class Rule(Struct, frozen=True):
    """One policy as it stands for a tier."""

    policy: str
    limit: int
    window: int


class Rates:
    """The rates of every tier and endpoint, worked out once at start."""

    def __init__(self, config: Config, meter: Meter) -> None:
        self._meter = meter
        self._tiers = config.tiers
        self._ready: dict[tuple[str, str, str, str | None], tuple[Demand, ...]] = {}
        own = {
            own_limit(name): service.limit
            for name, service in config.services.items()
            if service.limit is not None
        }
        limits = {**config.limits, **own}
        self._rules: dict[tuple[str, str], tuple[Rule, ...]] = {
            (tier, endpoint): _rules(settings, endpoint, limits)
            for tier, settings in config.tiers.items()
            for endpoint in (*limits, *AI_ENDPOINTS)
        }

    def on(self, meter: Meter) -> Rates:
        """The same rates, counted by another meter."""
        other = copy(self)
        other._meter = meter
        return other

    async def admit(self, caller: Caller, endpoint: str | None) -> Lease:
        """Counts one request (or, with no endpoint, only asks whether the credential is revoked); raises RateLimited."""
        known = (caller.credential, caller.owner, caller.tier, endpoint)
        demands = self._ready.get(known)
        if demands is None:
            demands = self._prepare(known)
        took = await self._meter.take(demands)
        if isinstance(took, Denial):
            raise refusal(took, caller)
        return took

    def _prepare(self, known: tuple[str, str, str, str | None]) -> tuple[Demand, ...]:
        """What a caller's request at an endpoint asks of the meter: the same each time, so remembered."""
        credential, owner, tier, endpoint = known
        demands = [Demand("alive", "alive", credential)] if credential else []
        if endpoint is not None:
            for rule in self._rules[tier if tier in self._tiers else "free", endpoint]:
                key = f"{rule.policy}:{{{owner}}}"  # a hash tag: a caller's counts lie together
                demands.append(Demand("rate", rule.policy, key, rule.limit, rule.window))
        if len(self._ready) >= MOST_READY:
            self._ready.clear()
        self._ready[known] = tuple(demands)
        return self._ready[known]

    def rules(self, tier: str) -> dict[str, Rule]:
        """The rate of each endpoint, as it stands for a tier; the tier's own is not among them."""
        found = {endpoint: rules for (of, endpoint), rules in self._rules.items() if of == tier}
        return {
            rule.policy: rule for rules in found.values() for rule in rules if rule.policy != TIER
        }

    def tier(self, caller: Caller) -> Tier:
        """The settings of a caller's tier; an unknown one is the free one."""
        return self._tiers.get(caller.tier) or self._tiers["free"]


def own_limit(service: str) -> str:
    """The name of the rate that a service has for itself; no configured one can be called so."""
    return f"service-{service}"


def refusal(denial: Denial, caller: Caller, parallel: int = 0) -> RateLimited | Unauthorized:
    """What a denied caller is told: the endpoint's text speaks, unless the tier's leaves a longer wait.

    `parallel` is how many calls the tier lets run at once; they speak where nothing else refuses.
    """
    if "alive" in denial.policies:
        return refusals.revoked()
    waits = dict(zip(denial.policies, denial.waits, strict=False)) or dict.fromkeys(
        denial.policies, denial.retry_after
    )
    waits.pop(PARALLEL, None)
    if not waits:
        return _all_running(denial, parallel)
    # Sorting puts the endpoint first among equals.
    policy = max(sorted(waits, key=lambda name: name == TIER), key=lambda name: waits[name])
    standing = next(found for found in denial.standings if found.policy == policy)
    tiered = policy == TIER
    extra = {"upgrade": UPGRADE} if tiered and caller.tier == "free" else {}
    wait = whole_seconds(denial.retry_after)
    counted = "tokens" if policy == TOKENS else "requests"
    return RateLimited(
        f"{standing.limit} {counted} in {standing.window} s are used up; wait {wait} s.",
        text="Daily quota exceeded" if tiered else "",
        headers=(("retry-after", str(wait)), *([NO_RETRY] if wait > MOST_SLEPT else [])),
        standings=denial.standings,
        body={"retryAfter": wait, "limit": standing.limit, "window": standing.window, **extra},
    )


def _all_running(denial: Denial, parallel: int) -> RateLimited:
    wait = whole_seconds(denial.retry_after)
    return RateLimited(
        f"{parallel} calls of yours run already, as many as may at once: wait until one has ended.",
        code="parallel_limit_exceeded",
        headers=(("retry-after", str(wait)),),
        body={"retryAfter": wait, "limit": parallel},
    )


def whole_seconds(seconds: float) -> int:
    """Seconds rounded up, at least one: a caller who waits so long is let in."""
    return max(1, -int(-seconds // 1))


def tightest(standings: Sequence[Standing]) -> Standing | None:
    """The standing with the least left; of equals the endpoint's, which comes first."""
    least = None
    for standing in standings:
        if least is None or standing.remaining < least.remaining:
            least = standing
    return least


def _rules(tier: Tier, endpoint: str, limits: Mapping[str, Limit]) -> tuple[Rule, ...]:
    name = _ENDPOINT_LIMIT.get(endpoint, endpoint)
    rules = []
    if name in limits:
        limit = limits[name]
        scale = tier.scale if limit.scale == "tier" else 1
        rules.append(Rule(name, limit.requests * scale, limit.window))
    if endpoint in AI_ENDPOINTS:
        rules.append(Rule(TIER, tier.requests_per_hour, 3600))
    return tuple(rules)
