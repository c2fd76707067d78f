"""Tables that are wrong in one way each: the checks must see it, or they check nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from penstock.ledger import sql as ledger
from penstock.ledger.budgets import sql as budgets
from penstock.ledger.claims import sql as claims
from penstock.ports import Row, Statement, Tables, Value
from tests.simulation.world import Break

FINALS = (ledger.FINAL, ledger.FINAL_ALLOTTED)


class Wrong:
    """Tables whose batches are changed on their way."""

    def __init__(
        self, tables: Tables, change: Callable[[Sequence[Statement]], Sequence[Statement]]
    ) -> None:
        self._tables = tables
        self._change = change

    async def rows(self, sql: str, *args: Value) -> Sequence[Row]:
        return await self._tables.rows(sql, *args)

    async def batch(self, *statements: Statement) -> Sequence[Sequence[Row]]:
        changed = self._change(statements)
        results = iter(await self._tables.batch(*changed))
        # Each statement hears of its own rows, one that was dropped of none.
        return [next(results) if one in changed else [] for one in statements]


def without(*dropped: str) -> Break:
    """Tables that leave these statements out."""

    def change(statements: Sequence[Statement]) -> Sequence[Statement]:
        return [one for one in statements if one[0] not in dropped]

    return lambda tables: Wrong(tables, change)


def _twice(statements: Sequence[Statement]) -> Sequence[Statement]:
    """The budgets' settlement is applied twice, as where it did not look at what is settled already."""
    again = [(budgets.SETTLE, args) for sql, args in statements if sql == budgets.SETTLE]
    unsettled = [(sql.replace("and h.settled = 0", ""), args) for sql, args in again]
    place = next((i for i, one in enumerate(statements) if one[0] == budgets.SETTLE), 0)
    return [*statements[:place], *unsettled, *statements[place:]]


def _cheaper(statements: Sequence[Statement]) -> Sequence[Statement]:
    """A final row says one nano-dollar less than it cost."""
    return [
        (sql, (*args[:18], max(0, int(args[18] or 0) - 1), *args[19:]))
        if sql == ledger.FINAL
        else (sql, args)
        for sql, args in statements
    ]


BROKEN: dict[str, Break] = {
    "no final row": without(*FINALS),
    "no dispatched row": without(ledger.DISPATCHED),
    "budgets are not settled": without(budgets.SETTLE),
    "holds are not forgotten": without(budgets.FORGET),
    "estimates forget their budgets": without(budgets.KEEP),
    "budgets are not corrected": without(budgets.CORRECT),
    "a key gives no single right to be sent": without(claims.DISPATCH),
    "budgets are settled twice": lambda tables: Wrong(tables, _twice),
    "amounts are too small": lambda tables: Wrong(tables, _cheaper),
}
