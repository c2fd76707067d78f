"""Tables in a SQLite file."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar

import apsw

from penstock.errors import Misconfigured, Unavailable
from penstock.platforms.embedded.group import Group
from penstock.platforms.embedded.wal import Keeper
from penstock.platforms.embedded.writer import MOST_WAITING, Writer
from penstock.platforms.memory import sqlite
from penstock.platforms.migrations import Migration
from penstock.ports import Row, Statement, Value

Durability = Literal["process", "power"]
Functions = Mapping[str, Callable[..., Any]]
"""Pure functions that reads may call in SQL, by name."""

T = TypeVar("T")

NO_FUNCTIONS: Functions = MappingProxyType({})

BUSY_MILLISECONDS = 5_000
"""How long another process may hold the tables before batches are refused."""
READ_SECONDS = 30.0
"""The longest a read may run: while one does, the WAL cannot begin anew."""
STEPS = 100_000
"""Instructions of SQLite's machine between two looks at the clock: about a millisecond."""
READERS = 3
"""An overview takes two at a time, and what a request looks up does not wait for it."""
MOST_READS = 1_000
WAL_BYTES = 64 << 20
"""The WAL file is cut back to this when it begins anew."""


class EmbeddedTables:
    """SQLite with a WAL: one writer with group commit, a few readers on threads of their own.

    With durability `process` a batch that returned survives the end of the process, and a loss of power from 50 ms on;
    with `power`, both at once. Opening it brings the tables up to date; raises Misconfigured where it cannot.
    """

    def __init__(
        self,
        path: Path,
        migrations: Iterable[Migration],
        now: float,
        durability: Durability = "process",
        most_waiting: int = MOST_WAITING,
        functions: Functions = NO_FUNCTIONS,
    ) -> None:
        pause = threading.Lock()
        self._write = _open(path, migrations, now)
        self._keeper = Keeper(path, pause)
        self._write.pragma("synchronous", "full" if durability == "power" else "normal")
        self._write.pragma("wal_autocheckpoint", 0)
        self._write.set_wal_hook(self._keeper.committed)
        _sync_folder(path.parent)
        self._writer = Writer(Group(self._write), pause, most_waiting)
        self._idle = [_reader(path, functions) for _ in range(READERS)]
        self._readers = ThreadPoolExecutor(READERS, "penstock-read")
        self._reads = 0

    async def rows(self, sql: str, *args: Value) -> Sequence[Row]:
        return await self.look(lambda reader: sqlite.query(reader, sql, args))

    async def look(self, work: Callable[[apsw.Connection], T]) -> T:
        """What `work` makes of what it reads, in a thread; one snapshot if it begins a transaction."""
        if self._reads >= MOST_READS:
            raise Unavailable("Too many reads wait for the tables.")
        self._reads += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._readers, self._read, work)
        finally:
            self._reads -= 1

    async def batch(self, *statements: Statement) -> Sequence[Sequence[Row]]:
        if self._keeper.failed:
            raise Unavailable("The tables cannot be made durable.")
        return await self._writer.submit(statements)

    async def close(self) -> None:
        """Writes what waits, and leaves one file."""
        await self._writer.close()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._readers.shutdown()
        for reader in self._idle:
            reader.close()
        self._keeper.close()
        self._write.close()

    def _read(self, work: Callable[[apsw.Connection], T]) -> T:
        reader = self._idle.pop()
        end = time.monotonic() + READ_SECONDS
        reader.set_progress_handler(lambda: time.monotonic() > end, STEPS)
        try:
            return work(reader)
        except apsw.Error as error:
            raise sqlite.Failures(reader).translate(error) from error
        finally:
            sqlite.roll_back(reader)
            self._idle.append(reader)


def _open(path: Path, migrations: Iterable[Migration], now: float) -> apsw.Connection:
    try:
        connection = apsw.Connection(str(path))
        connection.set_busy_timeout(BUSY_MILLISECONDS)
        connection.pragma("journal_mode", "wal")
        connection.pragma("journal_size_limit", WAL_BYTES)
        connection.pragma("foreign_keys", True)
        sqlite.migrate(connection, migrations, now)
    except sqlite.OUT_OF_REACH as error:
        raise Misconfigured(
            f"The tables in {path} cannot be opened ({type(error).__name__}): check that the file"
            " is a database that this user may write and that the disk has room."
        ) from error
    return connection


def _reader(path: Path, functions: Functions) -> apsw.Connection:
    reader = apsw.Connection(str(path))
    for name, function in functions.items():
        reader.create_scalar_function(name, function, deterministic=True)
    reader.set_busy_timeout(BUSY_MILLISECONDS)
    reader.pragma("query_only", True)
    return reader


def _sync_folder(folder: Path) -> None:
    """Makes the files' names durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
