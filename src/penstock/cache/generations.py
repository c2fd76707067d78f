"""A purge raises a number; every cache key it concerns holds that number, so that old entries are never found again."""

from __future__ import annotations

import re
from collections.abc import Mapping

from penstock.cache import sql
from penstock.errors import BadRequest, Error
from penstock.ports import Clock, Tables

READ_SECONDS = 5.0
NEVER_PURGED = b"0,0,0"
KINDS = ("chat", "embed", "rag", "http")
PURGEABLE = ("kind", "owner", "model", "route", "key", "url", "tag")
MOST_SINGLE = 2_000
"""URLs and tags that were purged by name: all processes read all of them, so that more empty the HTTP cache, once, and
begin anew."""

URL = r'(?:https?://[!-.0-~]+)?(/[!"$-~]*)'
"""One URL of a service: its path and query, after a host or without, for they are purged of every host."""

_URL = re.compile(URL)
_KEY = re.compile(r"(([a-z]+):[0-9a-f]{64})(?:\.[0-9]+)?")


class Generations:
    """The numbers as last read, at most 10 s ago; a purge in this process counts at once."""

    def __init__(self, tables: Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock
        self._read_at = float("-inf")
        self._numbers: Mapping[str, int] = {}
        self.known = False
        """Whether they could ever be read."""

    @property
    def old(self) -> bool:
        """Whether they should be read again before they are used."""
        return self._clock.tick() - self._read_at >= READ_SECONDS

    async def read(self) -> None:
        """Reads the numbers; an unreadable store leaves them as they are."""
        self._read_at = self._clock.tick()
        try:
            rows = await self._tables.rows(sql.GENERATIONS)
        except Error:
            return
        self._numbers = {row[0]: row[1] for row in rows}
        self.known = True

    @property
    def numbers(self) -> Mapping[str, int]:
        """The numbers by scope, as they were last read: never changed in place."""
        return self._numbers

    async def purge(self, wanted: Mapping[str, str], tables: Tables | None = None) -> None:
        """Raises one generation a named scope, or all kinds' where none is named; by the tables of who asks, where those
        are a request's own."""
        await raise_generations(tables or self._tables, wanted)
        await self.read()


async def raise_generations(tables: Tables, wanted: Mapping[str, str]) -> list[str]:
    """What a purge does to the tables; returns the scopes raised. Raises BadRequest for what names nothing."""
    named = wanted.items() or [("kind", kind) for kind in KINDS]
    scopes = [scope(name, value) for name, value in named]
    await tables.batch(*[(sql.RAISE, (one,)) for one in scopes])
    if "url" in wanted or "tag" in wanted:
        [[single]] = await tables.rows(sql.COUNT_SINGLE)
        if single > MOST_SINGLE:
            await tables.batch((sql.RAISE, ("kind:http",)), (sql.DROP_SINGLE, ()))
    return scopes


def scope(name: str, value: str) -> str:
    """The name of a number; a key's is the same in each of its generations. Raises BadRequest."""
    if name not in PURGEABLE:
        raise _refuse(f"Purge by one of {', '.join(PURGEABLE)}.", name)
    if not value:
        raise _refuse("Each name is given with a value.", name)
    if name == "kind" and value not in KINDS:
        raise _refuse(f"A kind is one of {', '.join(KINDS)}.", name)
    if name == "key":
        found = _KEY.fullmatch(value)
        if found is None or found[2] not in KINDS:
            raise _refuse("A key is written as `explain` shows it, such as chat:5f0c….", name)
        value = found[1]
    if name == "url":
        asked = _URL.fullmatch(value)
        if asked is None:
            raise _refuse("A url is written as it is asked for, such as /api/orders/7?x=1.", name)
        value = asked[1]
    return f"{name}:{value}"


def of_key(numbers: Mapping[str, int], kind: str, owner: str, route: str) -> bytes:
    """The part of a cache key that a purge by kind, owner or route changes."""
    if not numbers:
        return NEVER_PURGED
    scopes = (f"kind:{kind}", f"owner:{owner}", f"route:{route}")
    return ",".join([str(numbers.get(one, 0)) for one in scopes]).encode()


def of_answer(numbers: Mapping[str, int], model: str, target: str) -> int:
    """The number an answer of a model carries: a purge by its model's or its target's name changes it."""
    if not numbers:
        return 0
    return numbers.get(f"model:{model}", 0) + numbers.get(f"model:{target}", 0)


def _refuse(message: str, name: str) -> BadRequest:
    return BadRequest(message, code="invalid_field", param=name)
