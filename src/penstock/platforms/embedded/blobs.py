"""Replies that are kept: rows of a SQLite file of their own, so that large ones hold up no row of the ledger."""

from __future__ import annotations

import asyncio
from pathlib import Path

from penstock.errors import Misconfigured, Unavailable
from penstock.platforms.blobs import TableBlobs
from penstock.platforms.embedded.tables import Durability, EmbeddedTables
from penstock.platforms.migrations import Migration
from penstock.ports import Clock

MOST_BYTES = 4 << 30
"""Keys and values together: at 2 KB each, two million replies."""

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


class EmbeddedBlobs:
    """TableBlobs in a file that is opened when first used: whoever keeps nothing has no thread for it."""

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
        self._tables: EmbeddedTables | None = None
        self._blobs: TableBlobs | None = None
        self._opening = asyncio.Lock()

    async def get(self, key: str) -> bytes | None:
        return await (self._blobs or await self._open()).get(key)

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        await (self._blobs or await self._open()).put(key, value, ttl)

    async def delete(self, key: str) -> None:
        await (self._blobs or await self._open()).delete(key)

    async def close(self) -> None:
        """Writes what waits."""
        if self._tables is not None:
            await self._tables.close()

    async def _open(self) -> TableBlobs:
        async with self._opening:
            if self._blobs is None:
                try:
                    self._tables = await asyncio.to_thread(
                        EmbeddedTables, self._path, SCHEMA, self._clock.now(), self._durability
                    )
                except Misconfigured as error:
                    raise Unavailable("The kept replies cannot be opened.") from error
                self._blobs = TableBlobs(self._tables, self._clock, self._max_bytes)
            return self._blobs
