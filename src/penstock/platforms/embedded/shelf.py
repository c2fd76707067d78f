"""The cache's file: values with an expiry in SQLite, bounded in bytes, worth nothing more than the time it saves."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import apsw

from penstock.platforms.memory.sqlite import in_transaction, query
from penstock.ports import Clock, Statement

Change = tuple[bytes, float] | None
"""A value and the second it ends, or None to drop what is there."""

DAMAGED = (apsw.NotADBError, apsw.CorruptError)
ROW_BYTES = 250
"""What a row takes beside its key and value, with its part of two indexes."""
SWEEP_ROWS = 500
ROOM = 0.9
"""Share of the bound that is left after old values went out."""
CHECK_BYTES = 16

# The two indexes alone answer what is asked of all rows, so that no value is read for it.
SCHEMA = """
create table if not exists entries (
  number integer primary key, key text not null unique, until real not null, size integer not null,
  proof blob not null, value blob not null
);
create index if not exists entries_until on entries (until, size);
"""
GET = "select value, until, proof from entries where key = $1 and until > $2"
PUT = "insert or replace into entries (key, until, size, proof, value) values ($1, $2, $3, $4, $5)"
DELETE = "delete from entries where key = $1"
KEYS = "select key from entries"
SIZE = "select coalesce(sum(size), 0) from entries"
EXPIRE = """
delete from entries where number in (select number from entries where until <= $1 limit $2)
"""
OLDEST = "select number, size from entries order by number limit $1"
EVICT = "delete from entries where number <= $1"


class Shelf:
    """One connection to the cache's file; a file that cannot be read is replaced by an empty one.

    The file is written without any sync, so a loss of power may leave it damaged in ways that SQLite does not see: each
    value carries a digest of itself and its key, and without a match it is not there.
    """

    def __init__(self, path: Path, clock: Clock, max_bytes: int) -> None:
        self._path = path
        self._clock = clock
        self._max_bytes = max_bytes
        self._bytes = 0
        try:
            self._connection = self._open()
        except DAMAGED:
            self.remake()

    def remake(self) -> None:
        """Deletes the file and begins an empty one."""
        with suppress(AttributeError, apsw.Error):  # it may never have been opened
            self._connection.close()
        for ending in ("", "-wal", "-shm"):
            Path(f"{self._path}{ending}").unlink(missing_ok=True)
        self._connection, self._bytes = self._open(), 0

    def all_keys(self) -> list[str]:
        """All keys; reads their sizes too, which bounds what is written from then on."""
        self._bytes = _size(self._connection)
        return [key for (key,) in query(self._connection, KEYS, ())]

    def get(self, key: str) -> tuple[bytes, float] | None:
        """A value and the second it ends."""
        rows = query(self._connection, GET, (key, self._clock.now()))
        if not rows or rows[0][2] != _proof(key, rows[0][0]):
            return None
        return rows[0][0], rows[0][1]

    def write(self, changes: Mapping[str, Change]) -> None:
        """Makes these changes and whatever room they need."""
        statements: list[Statement] = [(EXPIRE, (self._clock.now(), SWEEP_ROWS))]
        statements += [(DELETE, (key,)) for key, change in changes.items() if change is None]
        for key, change in changes.items():
            if change is not None:
                value, until = change
                size = len(key) * 2 + len(value) + ROW_BYTES
                statements.append((PUT, (key, until, size, _proof(key, value), value)))
                self._bytes += size
        in_transaction(self._connection, statements)
        if self._bytes > self._max_bytes:
            self._make_room()

    def close(self) -> None:
        self._connection.close()

    def _open(self) -> apsw.Connection:
        connection = apsw.Connection(str(self._path))
        try:
            connection.set_busy_timeout(1_000)
            connection.pragma("journal_mode", "wal")
            connection.pragma("synchronous", "off")
            connection.pragma("journal_size_limit", self._max_bytes // 10)
            connection.execute(SCHEMA)
            return connection
        except BaseException:
            connection.close()
            raise

    def _make_room(self) -> None:
        """Puts out the oldest, once a count shows that replaced and expired values were not enough."""
        self._bytes = _size(self._connection)
        while self._bytes > self._max_bytes * ROOM:
            last = 0
            for number, size in query(self._connection, OLDEST, (SWEEP_ROWS,)):
                last = number
                self._bytes -= size
                if self._bytes <= self._max_bytes * ROOM:
                    break
            in_transaction(self._connection, [(EVICT, (last,))])


def _size(connection: apsw.Connection) -> int:
    return int(query(connection, SIZE, ())[0][0])


def _proof(key: str, value: bytes) -> bytes:
    digest = hashlib.blake2b(key.encode(), digest_size=CHECK_BYTES)
    digest.update(b"\0" + value)
    return digest.digest()
