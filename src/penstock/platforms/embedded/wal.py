"""Keeps what was committed: the WAL reaches the disk within 50 ms, and is copied into the tables before it grows long."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import apsw

SYNC_SECONDS = 0.025
"""Half of the promised 50 ms: the other half is the disk's."""
RETRY_SECONDS = 1.0
MOST_PAGES = 8_000
"""Pages in the WAL (32 MB) at which it is copied into the tables and begins anew."""
BEGIN_ANEW = "pragma user_version = 0"
"""A write of one page, so that the sync of a new WAL's header falls to the keeper and not to a writer."""

LOG = logging.getLogger(__name__)


class Keeper:
    """A thread that syncs and copies the WAL, on a connection of its own.

    A commit is in the page cache, which the end of the process cannot undo; syncing is left to this thread. Nobody may
    go below synchronous=NORMAL: its syncs around a copy are what keeps the tables whole in a loss of power. While
    syncing fails, `failed` is true and nothing new should be written; since a failed sync may have lost pages of the
    WAL for good, what is left of it is then copied.
    """

    def __init__(self, path: Path, pause: threading.Lock) -> None:
        self._path = Path(f"{path}-wal")
        self._pause = pause
        self._connection = apsw.Connection(str(path))
        self._connection.pragma("synchronous", "normal")
        self._connection.set_busy_timeout(0)
        self._pages = 0
        self._file = -1
        self._written = threading.Event()
        self._closing = threading.Event()
        self.failed = False
        self.synced = 0
        self.begun = 0
        self._thread = threading.Thread(target=self._work, name="penstock-wal", daemon=True)
        self._thread.start()

    def committed(self, connection: apsw.Connection, database: str, pages: int) -> int:
        """A writer's WAL hook."""
        self._pages = pages
        if not self._written.is_set():
            self._written.set()
        return apsw.SQLITE_OK

    def close(self) -> None:
        """Syncs what is left."""
        self._closing.set()
        self._written.set()
        self._thread.join()
        self._keep()
        self._connection.close()
        if self._file >= 0:
            os.close(self._file)

    def _work(self) -> None:
        while not self._closing.is_set():
            self._written.wait()
            self._closing.wait(SYNC_SECONDS)
            self._written.clear()
            self._keep()

    def _keep(self) -> None:
        try:
            self._sync()
            if self._pages >= MOST_PAGES or self.failed:
                self._copy()
        except (apsw.BusyError, apsw.LockedError):
            return  # a reader or another process is in the way; the next commit asks again
        except (OSError, apsw.Error) as error:
            self._failing(error)
        else:
            self.failed = False

    def _failing(self, error: Exception) -> None:
        if not self.failed:
            LOG.error("The tables cannot be made durable: %s", type(error).__name__)
        self.failed = True
        self._closing.wait(RETRY_SECONDS)
        self._written.set()

    def _sync(self) -> None:
        if self._file < 0:
            if not self._path.exists():
                return
            self._file = os.open(self._path, os.O_RDWR)
        os.fdatasync(self._file)
        self.synced += 1

    def _copy(self) -> None:
        """Copies most of the WAL while others write, and the rest of it while they wait."""
        self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        with self._pause:
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
            self._connection.execute(BEGIN_ANEW)
            self._pages = 0
            self.begun += 1
