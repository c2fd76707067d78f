"""Amounts of money as people write them, and whether budgets and prices make sense."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from penstock.config.values import Budget, Config, OwnPrice
from penstock.errors import Misconfigured

NANOS = 10**9
MOST_NANOS = 2**53 - 1  # beyond it some stores lose digits

_DOLLARS = re.compile(r"(\d{1,7})(?:\.(\d{1,9}))?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def nanos(text: str) -> int | None:
    """Dollars written as a plain decimal, in whole nano-dollars; None where the text is none, or too large."""
    found = _DOLLARS.fullmatch(text)
    if found is None or not text.isascii():
        return None
    amount = int(found[1]) * NANOS + int((found[2] or "").ljust(9, "0"))
    return amount if amount <= MOST_NANOS else None


def check_budgets(budgets: Sequence[Budget]) -> None:
    """Each says an amount and for whom, none says it twice; raises Misconfigured."""
    seen = set()
    for at, budget in enumerate(budgets):
        path = f"budgets[{at}]"
        if not budget.money and not budget.tokens:
            raise Misconfigured(f"{path} allows nothing; set money, tokens or both")
        if budget.money and not nanos(budget.money):
            raise Misconfigured(
                f'{path}.money is no amount of dollars above 0; write it as "5.00", nine decimals at the most'
            )
        if budget.tier and (budget.name or budget.per not in ("user", "key")):
            raise Misconfigured(
                f"{path}.tier goes with per user or key and without a name; remove it"
            )
        for unit in ("money", "tokens"):
            mark = (budget.per, budget.period, budget.name, budget.tier, unit)
            if getattr(budget, unit) and mark in seen:
                raise Misconfigured(f"{path} says {unit} of the same again; remove one of the two")
            seen.add(mark if getattr(budget, unit) else ())


def check_costs(config: Config) -> None:
    """Amounts are plain decimals, and the baseline is a target that chats; raises Misconfigured."""
    for at, cost in enumerate(config.costs):
        for name in ("fixed", "budget", "before"):
            text = getattr(cost, name)
            if (text or name == "fixed") and nanos(text) is None:
                raise Misconfigured(
                    f'costs[{at}].{name} is no amount of dollars; write it as "20.00", nine decimals at the most'
                )


def check_prices(config: Config) -> None:
    """Each is of a configured provider, in plain decimals and from a real day; raises Misconfigured."""
    seen = set()
    for at, price in enumerate(config.prices):
        path = f"prices[{at}]"
        if price.provider not in config.providers:
            raise Misconfigured(f"{path}.provider names no configured provider; change it")
        _check_amounts(price, path)
        if price.since and not _is_day(price.since):
            raise Misconfigured(f"{path}.since is no day; write it as 2026-11-01")
        mark = (price.provider, price.model, price.since)
        if mark in seen:
            raise Misconfigured(f"{path} says the same model and day again; remove one of the two")
        seen.add(mark)


def _check_amounts(price: OwnPrice, path: str) -> None:
    for name in ("input", "output", "cached_input", "cache_write"):
        text = getattr(price, name)
        optional = name.startswith("cache") and not text
        if not optional and nanos(text) is None:
            raise Misconfigured(
                f'{path}.{name} is no amount of dollars; write it as "2.50", nine decimals at the most'
            )


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return _DAY.fullmatch(text) is not None
