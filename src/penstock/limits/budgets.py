"""Which budgets hold for a request, what it reserves of each, and what is said where one is used up."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from penstock.auth.caller import Caller, owner_named
from penstock.config import Config
from penstock.config.spending import nanos
from penstock.config.values import Budget
from penstock.errors import OutOfBudget
from penstock.ledger import budgets as counters
from penstock.ledger import days
from penstock.ledger.budgets import Held, Unit
from penstock.limits.rates import whole_seconds
from penstock.prices import usd

OWN = ("user", "key")
"""Whose spending is a caller's own to know; a tenant's and a route's are others' too."""


class Rule(Struct, frozen=True):
    """One budget in one unit."""

    budget: Budget
    unit: Unit
    cap: int
    rank: int
    """How particular it is: 2 for a name, 1 for a tier, 0 for all."""


Applied = tuple[Rule, str]
"""A rule that holds for a request, and whose spending it adds up."""


class Budgets:
    """The configured budgets; without any, nothing is looked at."""

    def __init__(self, config: Config) -> None:
        self._tiers = config.tiers
        # The most particular last, so that it stays.
        self._rules = sorted(_rules(config.budgets), key=lambda rule: rule.rank)

    def of(self, caller: Caller, route: str) -> Sequence[Applied]:
        """The rules for a caller at a route: of one kind, period and unit the most particular."""
        if not self._rules:
            return ()
        tier = caller.tier if caller.tier in self._tiers else "free"
        found: dict[tuple[str, str, str], Applied] = {}
        for rule in self._rules:
            budget = rule.budget
            whose = _whose(budget, caller, route)
            if whose is not None and budget.tier in ("", tier):
                found[budget.per, budget.period, rule.unit] = (rule, whose)
        return tuple(found.values())


def money(applied: Sequence[Applied]) -> bool:
    """Whether any of them is in money."""
    return any(rule.unit == "nanos" for rule, _ in applied)


def hold(applied: Sequence[Applied], now: int, amount: int, tokens: int) -> tuple[Held, ...]:
    """What a request of at most this amount and these tokens reserves of each; what takes nothing is never refused."""
    found = [_held(rule, whose, now, amount, tokens) for rule, whose in applied]
    return tuple([one for one in found if one.amount])


def refusal(denied: Sequence[tuple[Held, int, int]], now: int) -> OutOfBudget:
    """What a caller is told, of budgets with what is reserved and spent of them: the one that begins again last."""
    full = [one for one in denied if one[1] + one[2] + one[0].amount > one[0].cap] or denied
    held, reserved, spent = max(full, key=lambda one: (one[0].amount > one[0].cap, one[0].ends))
    per, period, _, _ = held.budget.split(":", 3)
    cap, each = _said(held, held.cap), "an hour" if period == "hour" else f"a {period}"
    body = {"per": per, "period": period, "cap": cap, "resets": days.iso(held.ends)}
    if per in OWN:
        body |= {"spent": _said(held, spent), "reserved": _said(held, reserved)}
    wait, may = whole_seconds((held.ends - now) / 1000), _said(held, held.amount)
    if held.amount > held.cap:
        message = (
            f"This call may take {may}, more than all of the budget of {cap} {each} for this {per}:"
            " send less, or a smaller max_tokens."
        )
    else:
        used = f", {body['spent']} spent and {body['reserved']} reserved" if per in OWN else ""
        message = (
            f"The budget of {cap} {each} for this {per} does not have the {may} that this call may"
            f" take{used}: it begins again at {body['resets']}. Wait, send less, or have it raised."
        )
    return OutOfBudget(
        message,
        headers=(("retry-after", str(wait)),),
        body={"retryAfter": wait, "budget": body},
    )


def _rules(budgets: Sequence[Budget]) -> list[Rule]:
    found = []
    for budget in budgets:
        rank = 2 if budget.name else 1 if budget.tier else 0
        cap = nanos(budget.money)
        if cap:
            found.append(Rule(budget, "nanos", cap, rank))
        if budget.tokens:
            found.append(Rule(budget, "tokens", budget.tokens, rank))
    return found


def _whose(budget: Budget, caller: Caller, route: str) -> str | None:
    """Whose spending a budget adds up for this request; None where it is not for it."""
    whose = {
        "user": caller.owner,
        "key": caller.key_id,
        "tenant": caller.tenant,
        "route": route,
    }[budget.per]
    if budget.per == "key" and not whose:
        return None
    wanted = owner_named(budget.name) if budget.per == "user" else budget.name
    return whose if not budget.name or whose == wanted else None


def _held(rule: Rule, whose: str, now: int, amount: int, tokens: int) -> Held:
    budget = rule.budget
    starts, ends = days.span(budget.period, now)
    name = counters.name(budget.per, budget.period, rule.unit, whose)
    return Held(name, starts, ends, rule.unit, rule.cap, amount if rule.unit == "nanos" else tokens)


def _said(held: Held, amount: int) -> str:
    return f"${usd(amount)}" if held.unit == "nanos" else f"{amount} tokens"
