"""An index in a SQLite file of its own, searched in memory where numpy is there."""

from __future__ import annotations

import asyncio
import hashlib
import json
import struct
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache, partial
from importlib.util import find_spec
from operator import mul
from pathlib import Path
from typing import TYPE_CHECKING

import apsw

from penstock.errors import Misconfigured, Unavailable
from penstock.platforms import index
from penstock.platforms.embedded import folder
from penstock.platforms.embedded import index_sql as sql
from penstock.platforms.embedded.tables import Durability, EmbeddedTables
from penstock.platforms.memory import sqlite
from penstock.ports import About, Clock, Entry, Found, Match, Other, Statement, Value, Vector

if TYPE_CHECKING:
    from penstock.platforms.embedded.arrays import Held

SLOT_BYTES = 16
MOST_BYTES = 512 << 20
"""Of owners' entries in memory: 330,000 of 384 dimensions."""


class EmbeddedIndex:
    """SQLite as the tables use it, in a file that is opened when first used and that other models may share.

    Owner and term lie there as one hash, so that no text is ever syntax. The rows are the truth: of owners who ask, their
    entries are held in memory and brought up to date with each search, exactly and whoever wrote. Without numpy, or for
    an owner who does not fit into `most_bytes`, SQLite looks at all rows: some 60,000 vectors a second (decision 0044).
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        model: str = "",
        dimension: int = 0,
        durability: Durability = "process",
        *,
        most_bytes: int = MOST_BYTES,
        arrays: bool | None = None,
    ) -> None:
        index.check_model(model, dimension)
        self._path = path
        self._clock = clock
        self._model = model
        self._dimension = dimension
        self._durability = durability
        self._number = 0
        self._most_bytes = most_bytes
        self._arrays = find_spec("numpy") is not None if arrays is None else arrays
        self._held: Held | None = None
        self._tables: EmbeddedTables | None = None
        self._opening = asyncio.Lock()

    async def upsert(self, entries: Sequence[Entry]) -> None:
        writes = await asyncio.to_thread(self._writes, entries)
        tables = self._tables or await self._open()
        owners = {self._owner(entry.owner) for entry in entries}
        await tables.batch(*((sql.OWN, (owner, self._number)) for owner in owners), *writes)

    async def delete(
        self, owner: str, ids: Sequence[str] = (), document: str | None = None
    ) -> None:
        index.check_delete(owner, ids, document)
        tables = self._tables or await self._open()
        statements: list[Statement] = []
        for model, dimension in await tables.rows(sql.MODELS):
            key = _owner(owner, model, dimension)
            statements += [(sql.REMOVE, (key, name)) for name in ids]
            if document is not None:
                statements.append((sql.REMOVE_DOCUMENT, (key, document)))
        await tables.batch(*statements)

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
        key = self._owner(owner)
        slots = [_slot(key, term) for term in sorted(set(terms or ()))]
        tables = self._tables or await self._open()
        return await tables.look(partial(self._found, key, k, asked, slots, document))

    async def describe(self) -> About:
        tables = self._tables or await self._open()
        counts = {(model, size): n for model, size, n in await tables.rows(sql.ENTRIES)}
        entries = counts.pop((self._model, self._dimension))
        others = tuple(Other(*shape, count) for shape, count in counts.items() if count)
        return About(self._model, self._dimension, entries, others=others)

    async def drop(self, model: str, dimension: int) -> None:
        index.check_drop((self._model, self._dimension), (model, dimension))
        tables = self._tables or await self._open()
        while (await tables.batch((sql.DROP_SOME, (model, dimension))))[0]:
            pass

    async def close(self) -> None:
        """Writes what waits."""
        if self._tables is not None:
            await self._tables.close()

    async def _open(self) -> EmbeddedTables:
        async with self._opening:
            if self._tables is None:
                try:
                    tables = await asyncio.to_thread(self._opened)
                except Misconfigured as error:
                    raise Unavailable("The index cannot be opened.") from error
                try:
                    await self._claim(tables)
                except BaseException:
                    await tables.close()
                    raise
                self._tables = tables
            return self._tables

    def _opened(self) -> EmbeddedTables:
        now = self._clock.now()
        functions = {"cosine": cosine}
        if self._arrays:
            from penstock.platforms.embedded.arrays import Held  # numpy: not at the start

            self._held = Held(self._dimension, self._most_bytes)
        path = folder.private(self._path)
        return EmbeddedTables(path, sql.SCHEMA, now, self._durability, functions=functions)

    async def _claim(self, tables: EmbeddedTables) -> None:
        """Has the file know this model."""
        ours = (self._model, self._dimension)
        if not await tables.rows(sql.NUMBER, *ours):
            await tables.batch((sql.CLAIM, ours))
        [(self._number,)] = await tables.rows(sql.NUMBER, *ours)

    def _found(
        self,
        key: bytes,
        k: int,
        asked: bytes | None,
        slots: Sequence[str],
        document: str | None,
        reader: apsw.Connection,
    ) -> Found:
        """One search, in memory if that is possible."""
        if self._held is not None:
            found = self._held.search(reader, key, k, asked, slots, document)
            if found is not None:
                return found
        return Found(
            _matches(reader, sql.NEAR, asked, key, document, k) if asked is not None else (),
            _matches(reader, sql.TOLD, json.dumps(slots), key, document, k) if slots else (),
        )

    def _writes(self, entries: Sequence[Entry]) -> list[Statement]:
        """What an upsert does. Like statements lie together: the tables insert them many at a time."""
        drops: list[Statement] = []
        adds: list[Statement] = []
        posts: list[Statement] = []
        for entry in index.checked(entries, self._model):
            owner = self._owner(entry.owner)
            vector = None if entry.vector is None else self._unit(entry.vector)
            drops.append((sql.REMOVE, (owner, entry.id)))
            adds.append((sql.ADD, (owner, entry.id, entry.document, len(entry.terms), vector)))
            if entry.terms:
                counts = {_slot(owner, term): n for term, n in Counter(entry.terms).items()}
                posts.append((sql.POST, (json.dumps(counts), owner, entry.id)))
        return [*drops, *adds, *posts]

    def _owner(self, owner: str) -> bytes:
        return _owner(owner, self._model, self._dimension)

    def _unit(self, vector: Vector) -> bytes:
        values = index.unit(vector, self._model, self._dimension)
        return _floats(4 * len(values)).pack(*values)


def cosine(asked: bytes, vector: bytes) -> float:
    """Of two vectors of length 1, as little-endian float32."""
    product: float = sum(map(mul, _asked(asked), _floats(len(vector)).unpack(vector)))
    return round(product, index.DECIMALS)


@lru_cache(maxsize=8)
def _asked(vector: bytes) -> tuple[float, ...]:
    return _floats(len(vector)).unpack(vector)


@lru_cache(maxsize=8)
def _floats(size: int) -> struct.Struct:
    return struct.Struct(f"<{size // 4}f")


def _owner(owner: str, model: str, dimension: int) -> bytes:
    """A hash, for an owner may be of any length; a lone surrogate has one too."""
    text = json.dumps([model, dimension, owner])
    return hashlib.sha256(text.encode()).digest()


def _slot(owner: bytes, term: str) -> str:
    """Where an owner's postings of a term lie, in hex."""
    text = term.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=SLOT_BYTES, key=owner).hexdigest()


def _matches(reader: apsw.Connection, statement: str, *args: Value) -> tuple[Match, ...]:
    return tuple(Match(name, score) for name, score in sqlite.query(reader, statement, args))
