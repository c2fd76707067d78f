"""An index in PostgreSQL: vectors by pgvector, terms by postings."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from asyncpg import UndefinedTableError

from penstock.errors import Unavailable
from penstock.platforms import index
from penstock.platforms.server import index_sql as sql
from penstock.platforms.server.tables import ServerTables
from penstock.ports import About, Entry, Found, Match, Other, Row, Statement, Vector

SLOT_BYTES = 16
PATIENCE_SECONDS = 60.0
"""A thousand vectors enter a graph in some seconds."""
READERS = 4
MISSING = "The index has no tables for this model: run `penstock migrate up`."


class ServerIndex:
    """Rows as the tables', by connections of its own. An owner of up to 20,000 entries, or one document, is searched
    exactly; a larger one by the graph, which goes on until the owner has enough (decision 0044).

    Its tables are made by `index_schema.prepare`; where they are not there, each call raises Unavailable.
    """

    def __init__(self, dsn: str, model: str = "", dimension: int = 0) -> None:
        index.check_model(model, dimension)
        self._model = model
        self._dimension = dimension
        self._tables = ServerTables(dsn, PATIENCE_SECONDS, readers=READERS)
        self._number: int | None = None

    async def upsert(self, entries: Sequence[Entry]) -> None:
        listed = index.checked(entries, self._model)
        number = await self._own()
        if listed:
            statements = await asyncio.to_thread(self._writes, number, listed)
            await self._tables.batch(*statements)

    async def delete(
        self, owner: str, ids: Sequence[str] = (), document: str | None = None
    ) -> None:
        index.check_delete(owner, ids, document)
        await self._own()
        named = json.dumps([_hex(name) for name in ids])
        await self._tables.batch((sql.DELETE, (_owner(owner), named, _document(document))))

    async def search(
        self,
        owner: str,
        k: int,
        *,
        vector: Vector | None = None,
        terms: Sequence[str] | None = None,
        document: str | None = None,
    ) -> Found:
        index.check_search(owner, k, vector, terms, document)
        asked = None if vector is None else self._unit(vector)
        number, whose, within = await self._own(), _owner(owner), _document(document)
        near: Sequence[Row] = ()
        told: Sequence[Row] = ()
        if asked is not None:
            near = await self._near(number, asked, whose, within, k)
        if terms:
            slots = json.dumps([self._slot(owner, term) for term in sorted(set(terms))])
            told = await self._tables.rows(sql.TOLD, slots, number, whose, within, k)
        return Found(_matches(near), _matches(told))

    async def describe(self) -> About:
        await self._own()
        counts = {(model, size): n for model, size, n in await self._tables.rows(sql.MODELS)}
        entries = counts.pop((self._model, self._dimension))
        others = tuple(Other(*shape, count) for shape, count in counts.items() if count)
        return About(self._model, self._dimension, entries, others=others)

    async def drop(self, model: str, dimension: int) -> None:
        index.check_drop((self._model, self._dimension), (model, dimension))
        await self._own()
        while (await self._tables.batch((sql.DROP_SOME, (model, dimension))))[0]:
            pass

    async def close(self) -> None:
        """Writes what waits."""
        await self._tables.close()

    async def _own(self) -> int:
        """The number of its model; raises Unavailable where the tables have none."""
        if self._number is None:
            try:
                found = await self._tables.rows(sql.NUMBER, self._model, self._dimension)
            except UndefinedTableError as error:
                raise Unavailable(MISSING) from error
            if not found:
                raise Unavailable(MISSING)
            self._number = int(found[0][0])
        return self._number

    async def _near(
        self, number: int, asked: str, whose: str, within: str | None, k: int
    ) -> Sequence[Row]:
        if within is None:
            [(owned,)] = await self._tables.rows(sql.owned(number), whose)
            if owned > sql.EXACT:
                return await self._tables.rows(sql.nearby(number), asked, whose, k)
        return await self._tables.rows(sql.near(number), asked, whose, within, k)

    def _writes(self, number: int, entries: Sequence[Entry]) -> list[Statement]:
        """What an upsert does: each statement for all of its entries."""
        rows: list[dict[str, Any]] = []
        for entry in entries:
            counts = Counter(self._slot(entry.owner, term) for term in entry.terms)
            row: dict[str, Any] = {"owner": _owner(entry.owner), "id": _hex(entry.id)}
            row |= {"document": _hex(entry.document), "length": len(entry.terms), "counts": counts}
            if entry.vector is not None:
                row["vector"] = self._unit(entry.vector)
            rows.append(row)
        statements: list[Statement] = [
            (sql.ENTRIES, (number, _some(rows, "document", "length"))),
            (sql.CLEAR, (_some(rows), number)),
            (sql.POSTINGS, (_some(rows, "counts"), number)),
        ]
        if self._model:
            statements.append((sql.vectors_kept(number), (_some(rows, "vector"), number)))
        return statements

    def _unit(self, vector: Vector) -> str:
        """As pgvector reads it."""
        return json.dumps(index.unit(vector, self._model, self._dimension))

    def _slot(self, owner: str, term: str) -> str:
        """Where an owner's postings of a term lie."""
        key = hashlib.sha256(json.dumps([self._model, self._dimension, owner]).encode()).digest()
        text = term.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, digest_size=SLOT_BYTES, key=key).hexdigest()


def _some(rows: Sequence[dict[str, Any]], *names: str) -> str:
    """These fields of the entries, and whose they are."""
    return json.dumps([{name: row[name] for name in ("owner", "id", *names)} for row in rows])


def _owner(owner: str) -> str:
    """A hash, for an owner may be of any length; a lone surrogate has one too."""
    return hashlib.sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()


def _document(document: str | None) -> str | None:
    return None if document is None else _hex(document)


def _hex(name: str) -> str:
    return name.encode().hex()


def _matches(rows: Sequence[Row]) -> tuple[Match, ...]:
    return tuple(Match(bytes.fromhex(name).decode(), score) for name, score in rows)
