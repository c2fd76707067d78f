"""What a provider says was used, beside what the ledger says: by day and model, exactly."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from msgspec import Struct, structs

from penstock.ledger import days
from penstock.ledger.invoices import sql
from penstock.ports import Tables

JUDGED = ("input", "cached_input", "output", "cost_nanos")
"""What must agree; the number of requests is told, but providers count tries and batches their own way."""
_SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8})$")

Key = tuple[str, str]
"""A UTC day and a model."""


class Used(Struct, frozen=True):
    """Tokens and money of a day and model. `input` is all input, cached and written to a cache too; `estimated` counts requests."""

    requests: int = 0
    estimated: int = 0
    input: int = 0
    cached_input: int = 0
    output: int = 0
    cost_nanos: int = 0

    def __add__(self, other: Used) -> Used:
        return Used(*map(sum, zip(structs.astuple(self), structs.astuple(other), strict=True)))


class Line(Struct, frozen=True):
    """One row of a provider's export."""

    day: str
    model: str
    used: Used


class Export(Struct, frozen=True):
    """A provider's export: its rows, and which of `Used`'s fields it tells."""

    lines: tuple[Line, ...]
    tells: frozenset[str]


class Ours(Struct, frozen=True):
    """What the ledger says of a day, provider and model."""

    day: str
    provider: str
    model: str
    used: Used


class Row(Struct, frozen=True):
    """Both sides of a day and model, and what of it drifts beyond the tolerance."""

    day: str
    model: str
    ours: Used
    theirs: Used
    drifts: tuple[str, ...]


class Comparison(Struct, frozen=True):
    """All rows, their total, and the providers whose rows were compared."""

    rows: tuple[Row, ...]
    total: Row
    providers: tuple[str, ...]
    tells: frozenset[str]

    @property
    def drifts(self) -> bool:
        """Whether anything is further apart than the tolerance."""
        return any(row.drifts for row in (*self.rows, self.total))


async def ours(tables: Tables, since: int, until: int) -> list[Ours]:
    """The ledger's side of [since, until) in milliseconds; what was released or came from the cache is on no invoice."""
    rows = await tables.rows(sql.OURS, days.DAY_MS, since, until)
    return [Ours(days.day(at), provider, model, Used(*used)) for at, provider, model, *used in rows]


def span(export: Export) -> tuple[int, int]:
    """The days of an export in milliseconds, the last one included."""
    named = [days.parse(line.day) or 0 for line in export.lines]
    return min(named), max(named) + days.DAY_MS


def within(export: Export, since: int, until: int) -> Export:
    """The export's rows of [since, until)."""
    lines = (line for line in export.lines if since <= (days.parse(line.day) or 0) < until)
    return structs.replace(export, lines=tuple(lines))


def compare(
    export: Export, mine: Sequence[Ours], tolerance: Fraction, providers: Iterable[str] = ()
) -> Comparison:
    """Every day and model that either side knows; `tolerance` is a share of the larger side.

    Without `providers`: those of which the export names a model, or all where it names none.
    """
    known = {one.model for one in mine}
    theirs = _sums((line.day, _model(line.model, known), line.used) for line in export.lines)
    named = {model for _, model in theirs}
    chosen = set(providers) or {one.provider for one in mine if one.model in named}
    counted = [one for one in mine if not chosen or one.provider in chosen]
    own = _sums((one.day, one.model, one.used) for one in counted)
    rows = tuple(
        _row(key, own.get(key, Used()), theirs.get(key, Used()), export.tells, tolerance)
        for key in sorted(own.keys() | theirs.keys())
    )
    both = (sum(own.values(), Used()), sum(theirs.values(), Used()))
    total = _row(("", ""), *both, export.tells, tolerance)
    return Comparison(rows, total, tuple(sorted({one.provider for one in counted})), export.tells)


def _model(name: str, known: set[str]) -> str:
    """The ledger's name of a model: exports name the dated snapshot that an alias led to."""
    alias = _SNAPSHOT.sub("", name)
    return alias if name not in known and alias in known else name


def _sums(lines: Iterable[tuple[str, str, Used]]) -> Mapping[Key, Used]:
    found: dict[Key, Used] = defaultdict(Used)
    for day, model, used in lines:
        found[day, model] += used
    return found


def _row(key: Key, own: Used, theirs: Used, tells: frozenset[str], tolerance: Fraction) -> Row:
    drifts = tuple(
        name
        for name in JUDGED
        if name in tells and _apart(getattr(own, name), getattr(theirs, name), tolerance)
    )
    return Row(*key, own, theirs, drifts)


def _apart(own: int, theirs: int, tolerance: Fraction) -> bool:
    return abs(own - theirs) > tolerance * max(abs(own), abs(theirs))
