"""What a pass of the reconciler asks of the world, counted: a Worker may ask only so much in one go."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.ports import Fetch, Row, Statement, Tables, Value
from penstock.wire.http import Request, Response

FOR_ONE = 12
"""Questions that one request takes, mostly fewer: its attempts, a look-up of each, its budgets, the batch that ends it."""


class Asking:
    """Tables, and a fetch. Each statement of a batch counts, so that it does not matter how the platform counts them."""

    def __init__(self, tables: Tables, fetch: Fetch) -> None:
        self._tables = tables
        self._fetch = fetch
        self._most: float = 0
        self._asked = 0

    def begin(self, most: float) -> None:
        """A new pass, of so many questions."""
        self._most, self._asked = most, 0

    @property
    def spent(self) -> bool:
        """Whether another request could be one too many."""
        return self._asked + FOR_ONE > self._most

    async def rows(self, sql: str, *args: Value) -> Sequence[Row]:
        self._asked += 1
        return await self._tables.rows(sql, *args)

    async def batch(self, *statements: Statement) -> Sequence[Sequence[Row]]:
        self._asked += len(statements)
        return await self._tables.batch(*statements)

    async def fetch(self, request: Request) -> Response:
        self._asked += 1
        return await self._fetch(request)
