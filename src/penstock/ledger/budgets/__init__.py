"""Counters of what each budget's period has reserved and spent, moved in the batches that write the ledger's rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct

from penstock.ledger import days
from penstock.ledger.budgets import sql
from penstock.ports import Statement, Tables

CAP = "budgets_cap"
"""The constraint whose violation is the denial."""
Unit = Literal["nanos", "tokens"]
Key = tuple[str, int]


class Held(Struct, frozen=True):
    """What a request reserves of one budget's period [starts, ends) in ms; `budget` names it, see `name`."""

    budget: str
    starts: int
    ends: int
    unit: Unit
    cap: int
    amount: int

    @property
    def key(self) -> Key:
        return self.budget, self.starts


class Standing(Struct, frozen=True):
    """How a budget's period stands."""

    per: str
    name: str
    period: str
    unit: str
    starts: int
    ends: int
    cap: int
    reserved: int
    spent: int


def name(per: str, period: str, unit: Unit, whose: str) -> str:
    """A budget's name: the same while its cap changes, so that what was spent stays spent."""
    return f"{per}:{period}:{unit}:{whose}"


def reserve(request_id: str, held: Sequence[Held]) -> tuple[Statement, ...]:
    """Raises what is reserved of each; in one order for all requests, so that none wait for each other."""
    found: list[Statement] = []
    for one in sorted(held, key=lambda one: one.key):
        found.append((sql.RESERVE, (one.budget, one.starts, one.ends, one.cap, one.amount)))
        found.append((sql.HOLD, (request_id, one.budget, one.starts, one.unit, one.amount)))
    return tuple(found)


def settle(request_id: str, keys: Sequence[Key], *, keep: bool) -> tuple[Statement, ...]:
    """What follows the final row in its batch: reserved goes down, spent up by what that row says, once.

    `keep` where a correction may follow, which has to find the budgets again.
    """
    if not keys:
        return ()
    moved = [(sql.SETTLE, (request_id, *key)) for key in sorted(keys)]
    return (*moved, (sql.KEEP if keep else sql.FORGET, (request_id,)))


def correct(request_id: str, nanos: int, tokens: int) -> tuple[Statement, ...]:
    """What follows a correction in its batch: the differences, that may be negative."""
    return ((sql.CORRECT, (tokens, nanos, request_id)),)


async def held(tables: Tables, request_id: str) -> Sequence[Key]:
    """What a request still holds, for whoever ends it in its place."""
    return [(budget, starts) for budget, starts in await tables.rows(sql.HELD, request_id)]


async def counted(tables: Tables, one: Held) -> tuple[int, int]:
    """What is reserved and spent of it now."""
    found = await tables.rows(sql.STANDING, *one.key)
    return (found[0][0], found[0][1]) if found else (0, 0)


async def current(tables: Tables, now: int) -> list[Standing]:
    """Every budget whose period runs, as far as it was used."""
    rows = await tables.rows(sql.CURRENT, now)
    return [Standing(*_parted(budget), *rest) for budget, *rest in rows]


async def nearest(tables: Tables, now: int, most: int) -> list[Standing]:
    """The running budgets that are nearest to their cap."""
    rows = await tables.rows(sql.NEAREST, now, now, most)
    return [Standing(*_parted(budget), *rest) for budget, *rest in rows]


async def of_a_month(tables: Tables, since: int, until: int, most: int) -> list[Standing]:
    """Monthly budgets that ran in a span, those first that went furthest."""
    rows = await tables.rows(sql.OF_A_MONTH, since, until, most)
    return [Standing(*_parted(budget), *rest) for budget, *rest in rows]


def _parted(budget: str) -> tuple[str, str, str, str]:
    per, period, unit, whose = budget.split(":", 3)
    return per, whose, period, unit


def as_told(one: Standing) -> dict[str, Any]:
    """A standing for programs: amounts in nano-dollars or tokens as `unit` says."""
    return {
        "per": one.per,
        "name": one.name,
        "period": one.period,
        "unit": one.unit,
        "cap": one.cap,
        "reserved": one.reserved,
        "spent": one.spent,
        "left": max(0, one.cap - one.reserved - one.spent),
        "starts": days.iso(one.starts),
        "resets": days.iso(one.ends),
    }
