"""What a dashboard shows of a span: totals, a series of periods, and who used most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from penstock.config import Config
from penstock.errors import BadRequest
from penstock.ledger import days
from penstock.ledger.reports import latencies, sql
from penstock.ledger.reports.latencies import Counts
from penstock.ledger.reports.spans import ALL, period, up
from penstock.ledger.reports.usage import MOST_ROWS, bounded
from penstock.ports import Row, Tables
from penstock.prices import Price, amount_nanos, price_of
from penstock.wire.chat import Usage

Of = Literal["", "service", "provider", "model", "route", "tenant", "user"]
OF: tuple[Of, ...] = ("", "service", "provider", "model", "route", "tenant", "user")
By = Literal["", "hour", "day", "month"]
MOST_TIMED = 200
"""Cells (periods by groups) whose percentiles are told; with more they are left out."""
MOST_COUNTS = 200_000
MOST_ERRORS = 50
MANY: frozenset[str] = frozenset({"tenant", "user"})
"""Of many values: summed by the day, and without percentiles."""
_TOLD: dict[str, sql.Told] = {"service": "service", "route": "route", "provider": "target", "model": "target"}  # fmt: skip
_STEPS = {"hour": days.HOUR_MS, "day": days.DAY_MS, "month": days.DAY_MS}

Key = tuple[str, ...]
"""A period, and the values of what is grouped by."""
Baseline = Callable[[str], Price | None]
"""What the strong target's tokens cost on a UTC day."""


class Asked(Struct, frozen=True):
    """A span in whole hours, or days where summed by day; by which periods, of what, and of whom alone."""

    since: int
    until: int
    by: By = ""
    of: Of = ""
    service: str = ""
    route: str = ""
    provider: str = ""
    model: str = ""
    tenant: str = ""
    owner: str = ""

    @property
    def owned(self) -> bool:
        """Whether it is of one tenant or owner alone."""
        return bool(self.tenant)

    @property
    def grain(self) -> int:
        """What the span is rounded to: sums have nothing smaller."""
        return days.DAY_MS if self.of in MANY and not self.owned else days.HOUR_MS


def whole(asked: Asked) -> Asked:
    """The same on the borders of its sums, which it may cross to have them."""
    grain = asked.grain
    return Asked(
        asked.since // grain * grain, up(asked.until, grain), asked.by, asked.of, asked.service, asked.route,
        asked.provider, asked.model, asked.tenant, asked.owner,
    )  # fmt: skip


async def sums(tables: Tables, asked: Asked) -> dict[Key, dict[str, int]]:
    """What was used, by period and group; raises BadRequest where that is too wide, or cannot be told."""
    step = _STEPS.get(asked.by, ALL)
    if asked.of in MANY and not (asked.owned and asked.of == "user"):
        return await _dimension(tables, asked, step)
    filters = (asked.service, asked.route, asked.provider, asked.model)
    whose = (asked.tenant, asked.owner) if asked.owned else ()
    source: sql.Source = "owners" if whose else "hours"
    statement = sql.USAGE[source, _of(asked.of)]
    span = (step, asked.since, asked.until, *filters, *whose, 0, 0, 0, 0)
    return _grouped(asked, bounded(await tables.rows(statement, *span, MOST_ROWS + 1)))


async def busiest(tables: Tables, asked: Asked, order: sql.Order) -> dict[Key, dict[str, int]]:
    """The same by route, of everybody's: as many as are read, and of more than that the first in that order."""
    span = (_STEPS.get(asked.by, ALL), asked.since, asked.until)
    filters = (asked.service, asked.route, asked.provider, asked.model)
    rows = await tables.rows(sql.BUSIEST[order], *span, *filters, 0, 0, 0, 0, MOST_ROWS)
    return _grouped(replace(asked, of="route"), rows)


def _grouped(asked: Asked, rows: Sequence[Row]) -> dict[Key, dict[str, int]]:
    found: dict[Key, dict[str, int]] = {}
    for start, service, provider, model, route, owner, *rest in rows:
        groups = {
            "": (), "service": (service,), "provider": (provider,), "model": (service, provider, model),
            "route": (service, route), "user": (owner,),
        }  # fmt: skip
        _add(found, (period(start, asked.by), *groups[asked.of]), sql.SUMS, rest)
    return found


async def _dimension(tables: Tables, asked: Asked, step: int) -> dict[Key, dict[str, int]]:
    _unfiltered(asked)
    if asked.by == "hour":
        raise BadRequest(
            f"By {asked.of} there are sums of days: ask by day or month.",
            code="invalid_field",
            param="by",
        )
    statement = sql.SERIES["user" if asked.of == "user" else "tenant"]
    rows = await tables.rows(statement, step, asked.since, asked.until, 0, 0, 0, 0, MOST_ROWS + 1)
    found: dict[Key, dict[str, int]] = {}
    for start, value, *rest in bounded(rows):
        _add(found, (period(start, asked.by), value), sql.DIMENSION_SUMS, rest)
    return found


async def top(
    tables: Tables, asked: Asked, order: sql.Order, most: int
) -> list[tuple[Key, dict[str, int]]]:
    """The groups that used most: those of many values are ordered where they are kept."""
    if asked.of == "user" and asked.owned:
        filters = (asked.service, asked.route, asked.provider, asked.model)
        span = (ALL, asked.since, asked.until, *filters, asked.tenant, asked.owner, 0, 0, 0, 0)
        rows = await tables.rows(sql.TOP_OF_TENANT[order], *span, most)
        return [((row[5],), dict(zip(sql.SUMS, row[6:], strict=True))) for row in rows]
    if asked.of in ("tenant", "user") and not asked.owned:
        _unfiltered(asked)
        statement = sql.TOP["user" if asked.of == "user" else "tenant", order]
        rows = await tables.rows(statement, ALL, asked.since, asked.until, 0, 0, 0, 0, most)
        return [((value,), dict(zip(sql.DIMENSION_SUMS, rest, strict=True))) for value, *rest in rows]  # fmt: skip
    found = await sums(tables, asked)
    name = {"cost": "cost_nanos"}.get(order, order)
    ordered = sorted(found.items(), key=lambda one: (-one[1][name], one[0]))
    return [(key[1:], told) for key, told in ordered[:most]]


async def ranked(
    tables: Tables, asked: Asked, of: sql.Ranked, most: int
) -> list[tuple[Key, dict[str, int]]]:
    """The models, providers or routes that cost most, of all or of a tenant, however many there are."""
    filters = (asked.service, asked.route, asked.provider, asked.model)
    whose = (asked.tenant, asked.owner) if asked.owned else ()
    source: sql.Source = "owners" if whose else "hours"
    span = (ALL, asked.since, asked.until, *filters, *whose, 0, 0, 0, 0)
    found = []
    for _, service, provider, model, route, _, *rest in await tables.rows(
        sql.RANKED[source, of], *span, most
    ):
        keys = {"model": (service, provider, model), "provider": (provider,), "route": (service, route)}  # fmt: skip
        found.append((keys[of], dict(zip(sql.SUMS, rest, strict=True))))
    return found


async def timed(tables: Tables, asked: Asked, cells: int) -> dict[Key, Counts] | None:
    """Latencies of what was answered, by period and group; None where they are not kept so, or would be too many."""
    if asked.of in MANY or asked.owned or cells > MOST_TIMED:
        return None
    found: dict[Key, Counts] = {}
    for start, service, route, target, low, number in await _outcomes(tables, asked, sql.LATENCIES):
        key = _told_key(asked, start, service, route, target)
        if key is not None:
            latencies.add(found.setdefault(key, {}), low, number)
    return found


async def failed(tables: Tables, asked: Asked) -> list[tuple[Key, int, str, int]]:
    """Requests that failed, by period and group, status and code, the most frequent first."""
    found: dict[tuple[Key, int, str], int] = {}
    for start, service, route, target, status, code, number in await _outcomes(
        tables, asked, sql.ERRORS
    ):
        key = _told_key(asked, start, service, route, target)
        if key is not None:
            found[key, status, code] = found.get((key, status, code), 0) + number
    ordered = sorted(found.items(), key=lambda one: (-one[1], one[0]))
    return [(key, status, code, number) for (key, status, code), number in ordered]


def baseline(config: Config) -> tuple[str, Baseline] | None:
    """The target that savings are told against, and what it costs; None where nothing has that place."""
    auto = config.routes.get("auto")
    name = config.savings.baseline or (auto.strong if auto else "")
    target = next((one for one in config.targets if one.name == name), None)
    if target is None:
        return None
    return name, lambda day: price_of(config, target, day)


async def saved(tables: Tables, asked: Asked, baseline: Baseline) -> dict[str, int] | None:
    """What all chats would have cost at the baseline on their own tokens, beside what they did; None where a day has no price."""
    would, spent = (await saved_by(tables, replace(asked, by=""), baseline)).get("", (0, 0))
    if would is None:
        return None
    return {"would_cost_nanos": would, "cost_nanos": spent, "saved_nanos": would - spent}


async def saved_by(
    tables: Tables, asked: Asked, baseline: Baseline
) -> dict[str, tuple[int | None, int]]:
    """The same by day or month: what chats would have cost (None where one of its days has no price), and what they did."""
    found: dict[str, tuple[int | None, int]] = {}
    source: sql.Source = "owners" if asked.owned else "hours"
    whose = (asked.tenant,) if asked.owned else ()
    rows = await tables.rows(sql.CHATS[source], asked.since, asked.until, *whose)
    for day, read, cached, written, output, cost in rows:
        price, called = baseline(days.day(day)), period(day, asked.by)
        would, spent = found.get(called, (0, 0))
        took = Usage(input=read, cached_input=cached, cache_write=written, output=output)
        more = None if price is None or would is None else would + amount_nanos(price, took)
        found[called] = more, spent + cost
    return found


async def cached(tables: Tables, since: int, until: int) -> list[dict[str, Any]]:
    """Hits and misses of each kind of cache on the days of a span."""
    rows = await tables.rows(sql.CACHE_COUNTS_BETWEEN, days.day(since), days.day(until - 1))
    return [
        {"kind": kind, "hits": hits, "misses": misses, "share": share(hits, hits + misses)}
        for kind, hits, misses in rows
    ]


def share(part: int, of: int) -> float | None:
    """To four decimals; None of nothing."""
    return round(part / of, 4) if of else None


def _of(of: Of) -> sql.Of:
    assert of != "tenant"
    return of


def _unfiltered(asked: Asked) -> None:
    if asked.owned or asked.service or asked.route or asked.provider or asked.model:
        raise BadRequest(
            f"By {asked.of} there are sums of everything alone: leave the other filters out, or name a tenant and ask by user.",
            code="invalid_field",
            param="of",
        )


async def _outcomes(
    tables: Tables, asked: Asked, statements: dict[sql.Told, str]
) -> Sequence[tuple[Any, ...]]:
    of: sql.Told = _TOLD.get(asked.of, "")
    if asked.provider or asked.model:
        of = "both" if of == "route" else "target"
    step = _STEPS.get(asked.by, ALL)
    first, last, *edges = _spans(asked)
    rows = await tables.rows(
        statements[of], step, first, last, asked.service, asked.route, *edges, asked.since, asked.until,
        MOST_COUNTS + 1,
    )  # fmt: skip
    return bounded(rows, MOST_COUNTS)


def _spans(asked: Asked) -> tuple[int, ...]:
    """Whole days from the sums of days, the hours before and after from those of hours; by hour, all from those."""
    since, until = asked.since, asked.until
    first, last = up(since, days.DAY_MS), until // days.DAY_MS * days.DAY_MS
    if asked.by == "hour" or first >= last:
        return (0, 0, since, until, 0, 0)
    return (first, last, since, first, last, until)


def _told_key(asked: Asked, start: int, service: str, route: str, target: str) -> Key | None:
    """Where a count belongs; None where a filter leaves it out."""
    provider, _, model = target.partition("/")
    if (asked.provider and asked.provider != provider) or (asked.model and asked.model != model):
        return None
    groups: dict[str, Key] = {
        "service": (service,), "route": (service, route), "provider": (provider,), "model": (service, provider, model),
    }  # fmt: skip
    return (period(start, asked.by), *groups.get(asked.of, ()))


def _add(
    to: dict[Key, dict[str, int]], key: Key, names: Sequence[str], values: Sequence[int]
) -> None:
    sums = to.setdefault(key, dict.fromkeys(names, 0))
    for name, value in zip(names, values, strict=True):
        sums[name] += value
