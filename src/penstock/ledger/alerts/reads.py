"""What each rule reads of the books, and what it makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from penstock.config.alerting import Alert
from penstock.config.watched import Rule
from penstock.ledger import budgets, days
from penstock.ledger.alerts import measures, samples, sql, words
from penstock.ledger.alerts.measures import Bearable, Burn, Hits, Spend
from penstock.ledger.alerts.samples import Counts, Key, Sample
from penstock.ledger.alerts.states import Reading
from penstock.ledger.alerts.turns import Readings
from penstock.ledger.reports import figures
from penstock.ledger.reports import sql as reports
from penstock.ledger.reports.figures import Asked
from penstock.ports import Tables

ALL = "all"
OTHER = "other"
"""Routes and providers that are not configured: callers may name some."""
MOST_BUDGETS = 200
DOWN_MINUTES = 3
"""What processes saw in so long says whether a provider or a backend is down."""
PROVIDER, BACKEND = "provider:", "backend:"
SHORT = 12
"""The short window of errors is this part of the long one."""


class Names(Struct, frozen=True):
    """What is configured: subjects are of these, so that callers add none."""

    routes: frozenset[str]
    providers: frozenset[str]
    backends: Mapping[str, Sequence[str]]
    """A service's, as they are shown."""


class Books(Struct, frozen=True):
    """What the rules of one turn share."""

    tables: Tables
    names: Names
    now: int
    before: Sequence[Sample]
    counts: Mapping[Key, Counts]
    words: Mapping[str, int]


async def opened(tables: Tables, names: Names, rules: Sequence[Rule], now: int, text: str) -> Books:
    """The books as this turn finds them."""
    kinds = {rule.kind for rule in rules}
    hours = max((rule.hours for rule in rules if rule.kind == "errors"), default=0)
    counts = await outcomes(tables, names, now, hours) if hours else {}
    heard: Mapping[str, int] = {}
    if kinds & {"provider_down", "backend_down"}:
        heard = await words(tables, now - DOWN_MINUTES * samples.MINUTE_MS)
    return Books(tables, names, now, samples.decoded(text), counts, heard)


async def read(books: Books, rule: Rule) -> Readings:
    """How the subjects of a rule stand."""
    return await _READS[rule.kind](books, rule)


async def outcomes(tables: Tables, names: Names, now: int, hours: int) -> dict[Key, Counts]:
    """Errors and requests of the last hours and the one before, by hour and route."""
    first = _first_hour(now, hours + 1)
    found: dict[Key, Counts] = {}
    for start, route, bad, all in await tables.rows(sql.OUTCOMES, first):
        key = (start, route if route in names.routes else OTHER)
        so_far = found.get(key, (0, 0))
        found[key] = so_far[0] + bad, so_far[1] + all
    return found


async def _spend(books: Books, rule: Rule) -> Readings:
    window, before = await _usage(books, rule)
    first = (await books.tables.rows(reports.FIRST_HOUR))[0][0]
    begins = _first_hour(books.now, rule.hours)
    since = begins if first is None else max(first, begins - measures.WEEK_HOURS * days.HOUR_MS)
    hours = max(0, begins - since) / days.HOUR_MS
    bearable = Bearable(rule.hours, rule.money, rule.factor, rule.least_money)
    each = [
        measures.spend(one, Spend(sums[2], before.get(one, (0, 0, 0))[2], hours), bearable)
        for one, sums in window.items()
    ]
    return Readings(each)


async def _hit_rate(books: Books, rule: Rule) -> Readings:
    window, before = await _usage(books, rule)
    each = [
        measures.hit_rate(
            one, Hits((sums[1], sums[0]), (before[one][1], before[one][0])), rule.alert.drop,
            rule.least_requests, rule.hours,
        )
        for one, sums in window.items()
        if one in before
    ]  # fmt: skip
    return Readings(each)


async def _usage(
    books: Books, rule: Rule
) -> tuple[dict[str, measures.Sums], dict[str, measures.Sums]]:
    """Requests, hits and nano-dollars of each subject, in the window and in the week before it."""
    alert, begins = rule.alert, _first_hour(books.now, rule.hours)
    week, end = begins - measures.WEEK_HOURS * days.HOUR_MS, books.now // days.HOUR_MS * days.HOUR_MS + days.HOUR_MS  # fmt: skip
    hours: dict[str, dict[int, measures.Sums]] = {}
    for key, sums in (await _sums(books, alert, _asked(alert, begins, end, "hour"))).items():
        start = days.parse(key[0])
        if start is not None:
            of = hours.setdefault(_subject(books.names, alert, key[1:]), {})
            of[start] = _added(of.get(start), _told(sums))
    before: dict[str, measures.Sums] = {}
    for key, sums in (await _sums(books, alert, _asked(alert, week, begins, ""))).items():
        subject = _subject(books.names, alert, key[1:])
        before[subject] = _added(before.get(subject), _told(sums))
    window = {
        one: measures.weighed(each, books.now, rule.hours)
        for one, each in hours.items()
    }  # fmt: skip
    return window, before


async def _sums(books: Books, alert: Alert, asked: Asked) -> dict[figures.Key, dict[str, int]]:
    """By route those that matter most to the rule: callers may have made up more than anybody reads."""
    if alert.each != "route":
        return await figures.sums(books.tables, asked)
    order: reports.Order = "cost" if alert.kind == "spend_rate" else "requests"
    return await figures.busiest(books.tables, asked, order)


def _asked(alert: Alert, since: int, until: int, by: figures.By) -> Asked:
    return Asked(
        since, until, by, alert.each, route=alert.route, provider=alert.provider, tenant=alert.tenant
    )  # fmt: skip


def _subject(names: Names, alert: Alert, group: Sequence[str]) -> str:
    if not alert.each:
        return alert.tenant or alert.route or alert.provider or ALL
    known = names.routes if alert.each == "route" else names.providers
    return group[-1] if group[-1] in known else OTHER


def _told(sums: Mapping[str, int]) -> measures.Sums:
    return sums["requests"], sums["cached"], sums["cost_nanos"]


def _added(one: measures.Sums | None, other: measures.Sums) -> measures.Sums:
    return other if one is None else tuple(a + b for a, b in zip(one, other, strict=True))


def _first_hour(now: int, hours: int) -> int:
    return now // days.HOUR_MS * days.HOUR_MS - hours * days.HOUR_MS


async def _errors(books: Books, rule: Rule) -> Readings:
    alert, of = rule.alert, _of(rule.alert)
    short = samples.lately(
        books.before, books.counts, books.now, rule.hours * days.HOUR_MS // SHORT, of
    )
    if short is None:
        return Readings([], whole=False)  # as after a pause: in a few minutes it is known again
    hours: dict[str, dict[int, measures.Sums]] = {}
    for key, counts in books.counts.items():
        if subject := of(key):
            each = hours.setdefault(subject, {})
            each[key[0]] = _added(each.get(key[0]), counts)
    found = []
    for subject, each in hours.items():
        bad, all = measures.weighed(each, books.now, rule.hours)
        burn = Burn((bad, all), short.get(subject, (0, 0)))
        found.append(
            measures.errors(
                subject, burn, alert.objective, rule.factor, rule.least_requests, rule.hours
            )
        )
    return Readings(found)


def _of(alert: Alert) -> Callable[[Key], str]:
    """The subject that a count belongs to; empty where the rule is not about it."""

    def of(key: Key) -> str:
        if alert.route not in ("", key[1]):
            return ""
        return key[1] if alert.each else alert.route or ALL

    return of


async def _budget(books: Books, rule: Rule) -> Readings:
    found = await budgets.nearest(books.tables, books.now, MOST_BUDGETS)
    each = [
        measures.budget(
            budgets.name(one.per, one.period, "nanos" if one.unit == "nanos" else "tokens", one.name),
            one, rule.alert.share, books.now,
        )
        for one in found
    ]  # fmt: skip
    return Readings(each, whole=len(found) < MOST_BUDGETS)


async def _provider_down(books: Books, rule: Rule) -> Readings:
    failures = {
        name.removeprefix(PROVIDER): number
        for name, number in books.words.items()
        if name.startswith(PROVIDER) and rule.alert.provider in ("", name.removeprefix(PROVIDER))
    }
    answered: set[str] = set()
    if failures:
        since = books.now - DOWN_MINUTES * samples.MINUTE_MS
        rows = await books.tables.rows(sql.ANSWERED, since)
        answered = {provider for (provider,) in rows}
    each = [
        measures.provider_down(one, number, answered=one in answered, minutes=DOWN_MINUTES)
        for one, number in failures.items()
        if one in books.names.providers
    ]
    return Readings(each)


async def _backend_down(books: Books, rule: Rule) -> Readings:
    each: list[Reading] = []
    for service, backends in books.names.backends.items():
        if rule.alert.service in ("", service):
            bad = [one for one in backends if f"{BACKEND}{service} {one}" in books.words]
            each += measures.backends_down(service, bad, len(backends))
    return Readings(each)


_READS = {
    "spend_rate": _spend,
    "budget": _budget,
    "errors": _errors,
    "hit_rate": _hit_rate,
    "provider_down": _provider_down,
    "backend_down": _backend_down,
}
