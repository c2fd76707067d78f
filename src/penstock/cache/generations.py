"""A purge raises a number; every cache key it concerns holds that number, so that old entries are never found again."""

from __future__ import annotations

from collections.abc import Mapping

from penstock.cache import sql
from penstock.errors import BadRequest, Error
from penstock.ports import Clock, Tables

READ_SECONDS = 5.0
PURGEABLE = ("kind", "owner", "model", "route", "key")


class Generations:
    """The numbers as last read, at most 10 s ago; a purge in this process counts at once."""

    def __init__(self, tables: Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock
        self._read_at = float("-inf")
        self._numbers: Mapping[str, int] = {}

    async def fresh(self) -> None:
        """Reads the numbers again where they are old; an unreadable store leaves them as they are."""
        if self._clock.tick() - self._read_at < READ_SECONDS:
            return
        self._read_at = self._clock.tick()
        try:
            rows = await self._tables.rows(sql.GENERATIONS)
        except Error:
            return
        self._numbers = {row[0]: row[1] for row in rows}

    def of(self, kind: str, owner: str, model: str, route: str) -> bytes:
        """The part of a cache key that a purge changes."""
        numbers = self._numbers
        if not numbers:
            return b""
        scopes = (f"kind:{kind}", f"owner:{owner}", f"model:{model}", f"route:{route}")
        return ",".join([str(numbers.get(scope, 0)) for scope in scopes]).encode()

    def key(self, key: str) -> int:
        """The generation of one single key."""
        return self._numbers.get(f"key:{key}", 0)

    async def purge(self, wanted: Mapping[str, str]) -> None:
        """Raises one generation a named scope, or all kinds' where none is named."""
        await raise_generations(self._tables, wanted)
        self._read_at = float("-inf")
        await self.fresh()


async def raise_generations(tables: Tables, wanted: Mapping[str, str]) -> list[str]:
    """What a purge does to the tables; returns the scopes raised. Raises BadRequest for an unknown scope."""
    for name in wanted:
        if name not in PURGEABLE:
            raise BadRequest(
                f"Purge by one of {', '.join(PURGEABLE)}.", code="invalid_field", param=name
            )
    scopes = [f"{name}:{value}" for name, value in wanted.items()] or ["kind:chat", "kind:embed"]
    await tables.batch(*[(sql.RAISE, (scope,)) for scope in scopes])
    return scopes
