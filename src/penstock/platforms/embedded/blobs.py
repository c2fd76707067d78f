"""Bytes that are kept: rows of a SQLite file of their own, so that large ones hold up no row of the ledger."""

from __future__ import annotations

import asyncio
from pathlib import Path

from penstock.errors import Misconfigured, Unavailable
from penstock.platforms.embedded.tables import Durability, EmbeddedTables
from penstock.platforms.migrations import Migration
from penstock.ports import Clock

MOST_BYTES = 4 << 30
"""Keys and values together: at 2 KB each, two million replies."""
SWEEP_ROWS = 100
"""Rows whose time is over that go with each one put: faster than they can come."""
UNKNOWN = -1

SCHEMA = (
    Migration(
        1,
        "blobs",
        """
        create table blobs (
          key text not null, until double precision not null, size bigint not null, value bytea not null,
          constraint blobs_pkey primary key (key)
        );
        create index blobs_until on blobs (until, size);
        """,
    ),
)
GET = "select value from blobs where key = $1 and until > $2"
EXPIRE = """
delete from blobs where key in (select key from blobs where until <= $1 order by until limit $2) returning size
"""
PUT = """
insert into blobs (key, until, size, value) values ($1, $2, $3, $4)
on conflict (key) do update set until = excluded.until, size = excluded.size, value = excluded.value
"""
DELETE = "delete from blobs where key = $1 returning size"
SIZE = "select cast(coalesce(sum(size), 0) as bigint) from blobs"


class EmbeddedBlobs:
    """A file opened when first used: whoever keeps nothing has no thread for it.

    `_bytes` is at least what the file holds: a value that is put again counts twice until the next count, which is made
    before anything is refused.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        durability: Durability = "process",
        max_bytes: int = MOST_BYTES,
    ) -> None:
        self._path = path
        self._clock = clock
        self._durability = durability
        self._max_bytes = max_bytes
        self._bytes = UNKNOWN
        self._tables: EmbeddedTables | None = None
        self._opening = asyncio.Lock()

    async def get(self, key: str) -> bytes | None:
        tables = self._tables or await self._open()
        rows = await tables.rows(GET, key, self._clock.now())
        return bytes(rows[0][0]) if rows else None

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        if ttl <= 0:
            await self.delete(key)
            return
        tables = self._tables or await self._open()
        now, size = self._clock.now(), len(key) + len(value)
        if self._bytes == UNKNOWN or self._bytes + size > self._max_bytes:
            await self._make_room(tables, now, size)
        self._bytes += size
        expired, _ = await tables.batch(
            (EXPIRE, (now, SWEEP_ROWS)), (PUT, (key, now + ttl, size, value))
        )
        self._bytes -= sum(gone for (gone,) in expired)

    async def delete(self, key: str) -> None:
        tables = self._tables or await self._open()
        await tables.batch((DELETE, (key,)))

    async def close(self) -> None:
        """Writes what waits."""
        if self._tables is not None:
            await self._tables.close()

    async def _make_room(self, tables: EmbeddedTables, now: float, size: int) -> None:
        """Counts anew, once what is over is gone; raises Unavailable where that is not enough."""
        await tables.batch((EXPIRE, (now, SWEEP_ROWS)))
        ((self._bytes,),) = await tables.rows(SIZE)
        if self._bytes + size > self._max_bytes:
            raise Unavailable("There is no room for more replies.")

    async def _open(self) -> EmbeddedTables:
        async with self._opening:
            if self._tables is None:
                try:
                    self._tables = await asyncio.to_thread(
                        EmbeddedTables, self._path, SCHEMA, self._clock.now(), self._durability
                    )
                except Misconfigured as error:
                    raise Unavailable("The kept replies cannot be opened.") from error
            return self._tables
