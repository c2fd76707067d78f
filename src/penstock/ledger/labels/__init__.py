"""Labels: how well two targets answered one request, as somebody judged them, and what a router sees of that request."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from penstock.ledger import dropping
from penstock.ledger.labels import sql
from penstock.ports import Row, Statement, Tables

PAGE_ROWS = 500
NANOS = 1_000_000_000
Place = tuple[int, str]


class Label(Struct, frozen=True):
    """One of them. `features` is JSON of what a router sees; the texts are empty unless the tenant agreed to have them kept."""

    request_id: str
    shadow_id: str
    at: int
    owner: str
    tenant: str
    route: str
    judge: str
    weak_target: str
    strong_target: str
    weak: float
    strong: float
    weak_nanos: int
    strong_nanos: int
    features: str
    prompt: str = ""
    weak_answer: str = ""
    strong_answer: str = ""
    feedback: float | None = None
    """The score that the caller gave, where one did."""


def put(label: Label) -> Statement:
    """Keeps one; the request's second is refused (`labels_pkey`)."""
    return sql.PUT, astuple(label)[:-1]


async def page(tables: Tables, after: Place, until: int, route: str = "") -> list[Label]:
    """The next ones behind a place and before `until`, of all routes or of one, by time; it begins at (milliseconds, "")."""
    rows = await tables.rows(sql.PAGE, *after, until, route, PAGE_ROWS)
    return [_label(row) for row in rows]


async def newest(tables: Tables, route: str, since: int, most: int) -> list[Label]:
    """The newest of a route, since an instant; without what callers said of them."""
    return [_label(row) for row in await tables.rows(sql.NEWEST, route, since, most)]


async def so_far(tables: Tables) -> dict[str, tuple[int, int]]:
    """By route how many there are, and when the newest was made (ms)."""
    found = await tables.rows(sql.SO_FAR)
    return {route: (int(number), int(at)) for route, number, at in found}


def told(label: Label, *, texts: bool) -> dict[str, Any]:
    """A label as routers are fitted from it and judged by it, with its `texts` or without.

    Rows of one caller are one group, so that no test learns from who asks.
    """
    known: dict[str, Any] = {
        "weak": label.weak,
        "strong": label.strong,
        "weak_cost": label.weak_nanos / NANOS,
        "strong_cost": label.strong_nanos / NANOS,
        "group": sha256(label.owner.encode()).hexdigest()[:12],
    }
    if label.prompt and texts:
        known["messages"] = msgspec.json.decode(label.prompt)
    else:
        known["features"] = msgspec.json.decode(label.features)
    more = {
        "route": label.route,
        "judge": label.judge,
        "weak_target": label.weak_target,
        "strong_target": label.strong_target,
    }
    return known | more | ({} if label.feedback is None else {"feedback": label.feedback})


def behind(found: Sequence[Label]) -> Place:
    """The place behind a page that is not empty."""
    return found[-1].at, found[-1].request_id


async def sweep(tables: Tables, before: int) -> bool:
    """Drops those older than that, some at a time; whether there may be more."""
    return await dropping.sweep(tables, sql.SWEEP, before)


async def forget(tables: Tables, tenant: str, owner: str = "") -> int:
    """Drops all of a tenant, or of one owner in it; how many there were."""
    return await dropping.forget(tables, sql.FORGET, tenant, owner)


def _label(row: Row) -> Label:
    return Label(*row)
