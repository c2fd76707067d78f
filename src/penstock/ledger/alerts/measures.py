"""When figures are bad: pure, and by the whole of what they rest on, so that a few requests or a little money never are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from msgspec import Struct

from penstock.ledger import days
from penstock.ledger.alerts.states import CRITICAL, WARNING, Facts, Reading
from penstock.ledger.budgets import Standing

CLEARLY = 0.8
"""What was bad is well again below this much of its threshold."""
MUCH = 3.0
"""Times its threshold: then it is critical."""
WEEK_HOURS, LEAST_HOURS = 168, 24
"""The usual is of the week before the window, or of what there is of it; less than a day is no usual."""
LEAST_ERRORS = 5
PAGED_FACTOR = 10.0
"""A rule about a burn this fast is critical."""
SURE, LIKELY = 4.0, 2.0
"""Standard errors of the difference of two shares: it is asked each minute, so that chance must be rare."""
USED_UP = 0.99
"""Of a budget: the last calls rarely fit it exactly."""
FORECAST_AFTER = 0.1
"""Of a budget's period: before that, a forecast says little."""
FORECAST_USED = 0.25
DOWN_FAILURES = 5

Sums = tuple[int, ...]


def weighed(hours: Mapping[int, Sums], now: int, number: int) -> Sums:
    """The sums of the last `number` hours, from sums of whole ones: of the oldest, as much as lies in them, as if it were even."""
    last = now // days.HOUR_MS * days.HOUR_MS
    first = last - number * days.HOUR_MS
    width = max((len(sums) for sums in hours.values()), default=0)
    found = [0] * width
    for start, sums in hours.items():
        if not first <= start <= last:
            continue
        left = days.HOUR_MS - (now - last) if start == first else days.HOUR_MS
        for at, value in enumerate(sums):
            found[at] += value * left // days.HOUR_MS
    return tuple(found)


class Spend(Struct, frozen=True):
    """What was spent in the window, and in as many hours before it; in nano-dollars."""

    spent: int
    before: int
    before_hours: float


class Bearable(Struct, frozen=True):
    """What a rule about spending bears: an amount an hour (0: any), a factor of the usual (0: any), and what is too little."""

    hours: int
    money: int
    factor: float
    least: int


def spend(subject: str, seen: Spend, rule: Bearable) -> Reading:
    """Whether it goes faster than it may, or than it usually does."""
    an_hour = seen.spent / rule.hours
    known = seen.before_hours >= LEAST_HOURS and seen.before > 0
    usual = seen.before / seen.before_hours if known else 0.0
    bounds = [float(rule.money)] if rule.money else []
    if rule.factor and known:
        bounds.append(usual * rule.factor)
    if not bounds:
        return Reading(subject, 0)
    over = an_hour / max(min(bounds), 1.0)
    enough = seen.spent >= rule.least
    level = (CRITICAL if over >= MUCH else WARNING) if over > 1 and enough else 0
    facts: Facts = {
        "nanos_an_hour": round(an_hour),
        "usual_nanos_an_hour": round(usual),
        "hours": rule.hours,
    }
    return Reading(subject, level, over >= CLEARLY and seen.spent >= rule.least * CLEARLY, facts)


class Burn(Struct, frozen=True):
    """Errors and requests of the long window and the short one."""

    long: tuple[int, int]
    short: tuple[int, int]


def errors(
    subject: str, seen: Burn, objective: float, factor: float, least: int, hours: int
) -> Reading:
    """Whether the objective's errors are used up `factor` times as fast as they may be, in both windows.

    The long one keeps a short burst from being told, the short one says that it goes on.
    """
    if not seen.long[1]:
        return Reading(subject, 0)
    bearable = 1 - objective
    (bad, all), (bad_lately, all_lately) = seen.long, seen.short
    burn = bad / all / bearable
    lately = bad_lately / all_lately / bearable if all_lately else 0.0
    enough = all_lately >= least and bad >= LEAST_ERRORS
    fires = enough and min(burn, lately) >= factor
    level = (CRITICAL if factor >= PAGED_FACTOR else WARNING) if fires else 0
    facts: Facts = {
        "error_share": round(bad / all, 4), "error_share_lately": round(lately * bearable, 4), "errors": bad,
        "requests": all, "objective": objective, "burn": round(burn, 1), "hours": hours,
    }  # fmt: skip
    return Reading(subject, level, lately >= factor * CLEARLY and bad_lately > 0, facts)


class Hits(Struct, frozen=True):
    """Hits and requests of the window and of the week before it."""

    now: tuple[int, int]
    before: tuple[int, int]


def hit_rate(subject: str, seen: Hits, drop: float, least: int, hours: int) -> Reading:
    """Whether so much of the usual share is gone, and by more than chance."""
    (hits, all), (hits_before, all_before) = seen.now, seen.before
    if all < least or all_before < least or not hits_before:
        return Reading(subject, 0)
    share, usual = hits / all, hits_before / all_before
    gone, sure = 1 - share / usual, score(seen)
    facts: Facts = {"hit_share": round(share, 4), "usual_hit_share": round(usual, 4), "requests": all, "hours": hours}  # fmt: skip
    level = WARNING if gone >= drop and sure >= SURE else 0
    return Reading(subject, level, gone >= drop * CLEARLY and sure >= LIKELY, facts)


def score(seen: Hits) -> float:
    """By how many standard errors the share before is above that of now (two proportions, pooled)."""
    (hits, all), (hits_before, all_before) = seen.now, seen.before
    pooled = (hits + hits_before) / (all + all_before)
    error = math.sqrt(pooled * (1 - pooled) * (1 / all + 1 / all_before))
    return (hits_before / all_before - hits / all) / error if error else 0.0


def budget(subject: str, one: Standing, share: float, now: int) -> Reading:
    """Whether it is near its end, will be over it as things go, or used up."""
    used = one.spent / one.cap if one.cap else 1.0
    elapsed = (now - one.starts) / (one.ends - one.starts)
    forecast = used / elapsed if elapsed > 0 else 0.0
    tells = one.period != "hour" and elapsed >= FORECAST_AFTER and used >= FORECAST_USED
    over = tells and forecast > 1
    level = CRITICAL if used >= USED_UP else WARNING if used >= share or over else 0
    holds = used >= share * 0.95 or (tells and forecast > CLEARLY)
    facts: Facts = {
        "per": one.per, "name": one.name, "period": one.period, "unit": one.unit, "cap": one.cap, "spent": one.spent,
        "used_share": round(used, 4), "forecast_share": round(forecast, 4) if tells else 0.0, "ends": one.ends,
    }  # fmt: skip
    return Reading(subject, level, holds, facts)


def provider_down(subject: str, failures: int, *, answered: bool, minutes: int) -> Reading:
    """Whether it failed again and again, by what all processes saw, and answered nobody."""
    fails = failures and not answered
    facts: Facts = {"failures": failures, "minutes": minutes}
    return Reading(
        subject, CRITICAL if fails and failures >= DOWN_FAILURES else 0, bool(fails), facts
    )


def backends_down(service: str, bad: Sequence[str], number: int) -> list[Reading]:
    """Those of a service that some process found bad; critical where there is no other."""
    level = CRITICAL if len(bad) >= number else WARNING
    facts: Facts = {"service": service, "bad": len(bad), "backends": number}
    return [Reading(f"{service} {one}", level, True, {**facts, "backend": one}) for one in bad]
