"""An index in a SQLite file of its own: its owner's vectors are looked at one by one, its terms by postings."""

from __future__ import annotations

import asyncio
import hashlib
import json
import struct
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from operator import mul
from pathlib import Path

from penstock.errors import Misconfigured, Unavailable
from penstock.platforms import index
from penstock.platforms.embedded import folder
from penstock.platforms.embedded.tables import Durability, EmbeddedTables
from penstock.platforms.migrations import Migration
from penstock.ports import About, Clock, Entry, Found, Match, Row, Statement, Vector

SCHEMA = (
    Migration(
        1,
        "index",
        """
        create table about (
          one integer not null, model text not null, dimension integer not null,
          constraint about_pkey primary key (one)
        );
        create table entries (
          number integer primary key, owner blob not null, id text not null, document text not null,
          length integer not null, vector blob,
          constraint entries_id unique (owner, id)
        );
        create index entries_document on entries (owner, document, length);
        create table postings (
          slot blob not null, entry integer not null references entries on delete cascade, count integer not null,
          constraint postings_pkey primary key (slot, entry)
        ) without rowid;
        create index postings_entry on postings (entry);
        """,
    ),
)

CLAIM = "insert into about (one, model, dimension) values (1, $1, $2) on conflict (one) do nothing"
ABOUT = "select model, dimension from about"
ENTRIES = "select count(*) from entries"

DROP = "delete from entries where owner = $1 and id = $2"
DROP_DOCUMENT = "delete from entries where owner = $1 and document = $2"
ADD = "insert into entries (owner, id, document, length, vector) values ($1, $2, $3, $4, $5)"
POST = """
insert into postings (slot, entry, count)
select unhex(counts.key), entries.number, counts.value from entries, json_each($1) as counts
where entries.owner = $2 and entries.id = $3
"""

NEAR = """
select id, cosine($1, vector) as score from entries
where owner = $2 and ($3 is null or document = $3) order by score desc, id limit $4
"""
# The counts of a term are those of all the owner's entries, whichever document is asked for.
TOLD = f"""
with found as (
  select entries.id, entries.document, entries.length, postings.count,
    count(*) over (partition by postings.slot) as holders
  from json_each($1) as asked
  cross join postings on postings.slot = unhex(asked.value)
  cross join entries on entries.number = postings.entry
  where entries.owner = $2
), own as (
  select count(*) as entries, avg(length) as mean from entries where owner = $2
)
select found.id, round(sum(
  ln(1 + (own.entries - found.holders + 0.5) / (found.holders + 0.5))
  * found.count * {index.SATURATION + 1}
  / (found.count + {index.SATURATION}
     * ({1 - index.LENGTH_SHARE} + {index.LENGTH_SHARE} * found.length / own.mean))
), {index.DECIMALS}) as score
from own cross join found where $3 is null or found.document = $3
group by found.id order by score desc, found.id limit $4
"""

SLOT_BYTES = 16


class EmbeddedIndex:
    """SQLite as the tables use it, in a file that is opened when first used.

    Owner and term lie there as one hash, so that no text is ever syntax. A search by vector looks at all that its owner
    has: of 384 dimensions some 60,000 entries a second (decision 0026), and it ends as any read of EmbeddedTables does.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        model: str = "",
        dimension: int = 0,
        durability: Durability = "process",
    ) -> None:
        index.check_model(model, dimension)
        self._path = path
        self._clock = clock
        self._model = model
        self._dimension = dimension
        self._durability = durability
        self._tables: EmbeddedTables | None = None
        self._opening = asyncio.Lock()

    async def upsert(self, entries: Sequence[Entry]) -> None:
        statements = await asyncio.to_thread(self._writes, entries)
        await (self._tables or await self._open()).batch(*statements)

    async def delete(
        self, owner: str, ids: Sequence[str] = (), document: str | None = None
    ) -> None:
        index.check_delete(owner, ids, document)
        statements: list[Statement] = [(DROP, (_owner(owner), name)) for name in ids]
        if document is not None:
            statements.append((DROP_DOCUMENT, (_owner(owner), document)))
        await (self._tables or await self._open()).batch(*statements)

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
        tables = self._tables or await self._open()
        near: Sequence[Row] = ()
        told: Sequence[Row] = ()
        if asked is not None:
            near = await tables.rows(NEAR, asked, _owner(owner), document, k)
        if terms:
            slots = json.dumps([_slot(_owner(owner), term) for term in set(terms)])
            told = await tables.rows(TOLD, slots, _owner(owner), document, k)
        return Found(_matches(near), _matches(told))

    async def describe(self) -> About:
        [(entries,)] = await (self._tables or await self._open()).rows(ENTRIES)
        return About(self._model, self._dimension, entries)

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
        path = folder.private(self._path)
        return EmbeddedTables(path, SCHEMA, now, self._durability, functions=functions)

    async def _claim(self, tables: EmbeddedTables) -> None:
        """The file's first model is its model for good: raises WrongModel for another."""
        ours = (self._model, self._dimension)
        await tables.batch((CLAIM, ours))
        [(model, dimension)] = await tables.rows(ABOUT)
        if (model, dimension) != ours:
            raise index.mismatch((model, dimension), ours)

    def _writes(self, entries: Sequence[Entry]) -> list[Statement]:
        """What an upsert does. Like statements lie together: the tables insert them many at a time."""
        drops: list[Statement] = []
        adds: list[Statement] = []
        posts: list[Statement] = []
        for entry in index.checked(entries, self._model):
            owner = _owner(entry.owner)
            vector = None if entry.vector is None else self._unit(entry.vector)
            drops.append((DROP, (owner, entry.id)))
            adds.append((ADD, (owner, entry.id, entry.document, len(entry.terms), vector)))
            if entry.terms:
                counts = {_slot(owner, term): n for term, n in Counter(entry.terms).items()}
                posts.append((POST, (json.dumps(counts), owner, entry.id)))
        return [*drops, *adds, *posts]

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


def _owner(owner: str) -> bytes:
    """A hash, for an owner may be of any length; a lone surrogate has one too."""
    return hashlib.sha256(owner.encode("utf-8", "surrogatepass")).digest()


def _slot(owner: bytes, term: str) -> str:
    """Where an owner's postings of a term lie, in hex."""
    text = term.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=SLOT_BYTES, key=owner).hexdigest()


def _matches(rows: Sequence[Row]) -> tuple[Match, ...]:
    return tuple(Match(name, score) for name, score in rows)
