"""Blobs as rows of a table, in the subset of SQL that the homes share."""

from __future__ import annotations

from penstock.errors import Unavailable
from penstock.ports import Clock, Tables

SWEEP_ROWS = 100
"""Rows whose time is over that go with each one put: faster than they can come."""
COUNTED_SHARE = 16
"""Who has put a sixteenth of all there is room for counts anew: others may have put as much."""
UNKNOWN = -1

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


class TableBlobs:
    """Keys and values of together at most `max_bytes`; of several processes each may be a sixteenth behind the others.

    `_bytes` is at least what the table holds, as far as this process knows: a value that is put again counts twice until
    the next count, which is made before anything is refused.
    """

    def __init__(self, tables: Tables, clock: Clock, max_bytes: int) -> None:
        self._tables = tables
        self._clock = clock
        self._max_bytes = max_bytes
        self._bytes = UNKNOWN
        self._counted_at = UNKNOWN

    async def get(self, key: str) -> bytes | None:
        rows = await self._tables.rows(GET, key, self._clock.now())
        return bytes(rows[0][0]) if rows else None

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        if ttl <= 0:
            await self.delete(key)
            return
        now, size = self._clock.now(), len(key) + len(value)
        if self._bytes + size > min(self._counted_at, self._max_bytes):
            await self._make_room(now, size)
        self._bytes += size
        expired, _ = await self._tables.batch(
            (EXPIRE, (now, SWEEP_ROWS)), (PUT, (key, now + ttl, size, value))
        )
        self._bytes -= sum(gone for (gone,) in expired)

    async def delete(self, key: str) -> None:
        await self._tables.batch((DELETE, (key,)))

    async def _make_room(self, now: float, size: int) -> None:
        """Counts anew, once what is over is gone; raises Unavailable where that is not enough."""
        await self._tables.batch((EXPIRE, (now, SWEEP_ROWS)))
        ((self._bytes,),) = await self._tables.rows(SIZE)
        self._counted_at = self._bytes + size + self._max_bytes // COUNTED_SHARE
        if self._bytes + size > self._max_bytes:
            raise Unavailable("There is no room for more replies.")
