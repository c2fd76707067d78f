"""Labels: how well two targets answered one request, as somebody judged them, and what a router sees of that request."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import astuple

from penstock.ledger.labels import sql
from penstock.ports import Row, Statement, Tables

PAGE_ROWS = 500
SWEEP_ROWS = 500
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


def behind(found: Sequence[Label]) -> Place:
    """The place behind a page that is not empty."""
    return found[-1].at, found[-1].request_id


async def sweep(tables: Tables, before: int) -> bool:
    """Drops those older than that, at most `SWEEP_ROWS`; whether there may be more."""
    [rows] = await tables.batch((sql.SWEEP, (before, SWEEP_ROWS)))
    return len(rows) == SWEEP_ROWS


async def forget(tables: Tables, tenant: str, owner: str = "") -> int:
    """Drops all of a tenant, or of one owner in it; how many there were."""
    found = 0
    while True:
        [rows] = await tables.batch((sql.FORGET, (tenant, owner, SWEEP_ROWS)))
        found += len(rows)
        if len(rows) < SWEEP_ROWS:
            return found


def _label(row: Row) -> Label:
    return Label(*row)
