"""The log of requests: each decision with what its calls took, the newest first, a page at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from penstock.ledger.book import OWN
from penstock.ledger.decisions import Decision
from penstock.ledger.requests import sql
from penstock.ports import Row, Tables

PIECE = 500
"""Records that are read at once where few may be asked for: a turn of the loop stays short."""
FIRST, LAST = "req_", "req_~"
_ID = re.compile(r"req_[0-9a-z]{1,60}", re.ASCII)
_HIT = "hit"

_decode = msgspec.json.Decoder(Decision).decode


class Taken(Struct):
    """What a request's calls took, all together; `cost` in nano-dollars."""

    provider: str = ""
    model: str = ""
    route: str = ""
    input: int = 0
    output: int = 0
    cost: int = 0


NOTHING = Taken()


class Logged(Struct, frozen=True):
    """One request: when it began (ms), whose it was, what was decided and what it took."""

    id: str
    at: int
    tenant: str
    user: str
    decision: Decision
    taken: Taken

    @property
    def provider(self) -> str:
        """Who answered, or who was asked last."""
        return self.taken.provider or self.decision.target.removeprefix(OWN).partition("/")[0]

    @property
    def model(self) -> str:
        """What answered; of a request that nothing answered, what it asked for."""
        return self.taken.model or self.decision.asked


Wanted = Callable[[Logged], bool]


class Page(Struct, frozen=True):
    """Some requests, and the id before which the next are; empty where there are no more."""

    rows: list[Logged]
    next: str


def is_id(text: str) -> bool:
    """Whether a request can be called so."""
    return _ID.fullmatch(text) is not None


def bounds(since: int, until: int) -> tuple[str, str]:
    """The ids of requests that began in a span of time (ms) lie between these."""
    return f"{FIRST}{since:012x}", f"{FIRST}{until:012x}"


async def page(
    tables: Tables, above: str, below: str, most: int, wanted: Wanted | None, reach: int
) -> Page:
    """The newest between two ids that are wanted, at most so many, of the `reach` newest: a page may be short, or empty,
    and yet have a next one."""
    found: list[Logged] = []
    while reach > 0:
        size = min(reach, most + 1 if wanted is None else PIECE)
        rows = await tables.rows(sql.NEWEST, above, below, size)
        reach -= len(rows)
        for one in await _logged(tables, rows):
            if len(found) == most:
                return Page(found, found[-1].id)
            if wanted is None or wanted(one):
                found.append(one)
        if len(rows) < size:
            return Page(found, "")
        below = str(rows[-1][0])
    return Page(found, below)


async def one(tables: Tables, id: str) -> Logged | None:
    """A single request; None where nothing was decided for it, or not yet."""
    found = await _logged(tables, await tables.rows(sql.ONE, id))
    return found[0] if found else None


async def _logged(tables: Tables, rows: Sequence[Row]) -> list[Logged]:
    """Decisions in falling order of their ids, with what stands of them in the ledger."""
    if not rows:
        return []
    took: dict[str, Taken] = {}
    for id, *row in await tables.rows(sql.ENDED, rows[-1][0], rows[0][0]):
        _add(took.setdefault(id.partition(".")[0], Taken()), row)
    return [_one(row, took) for row in rows]


def _add(taken: Taken, row: Sequence[object]) -> None:
    provider, model, route, input, cached, write, output, cost, cache = row
    taken.provider = taken.provider or str(provider)
    taken.model = taken.model or str(model)
    taken.route = taken.route or str(route)
    if cache != _HIT:
        taken.input += int(str(input)) + int(str(cached)) + int(str(write))
        taken.output += int(str(output))
        taken.cost += int(str(cost))


def _one(row: Row, took: dict[str, Taken]) -> Logged:
    id, at, owner, record = row
    decision = _decode(record)
    tenant, _, user = owner.partition("/")
    began = at - decision.total_us // 1000
    return Logged(id, began, unquote(tenant), user, decision, took.get(id, NOTHING))
