"""Small values in memory, and behind it in a file that a restart finds again."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import apsw

from penstock.platforms.memory.store import OVERHEAD, MemoryStore
from penstock.ports import Clock

LOG = logging.getLogger(__name__)

MOST_WAITING = 1_000
MOST_IN_GROUP = 200
SWEEP_ROWS = 500
"""Expired or oldest rows that are removed at a time."""

SCHEMA = """
create table if not exists entries (key text primary key, value blob not null, until real not null, size int not null);
create index if not exists entries_until on entries (until);
"""
GET = "select value, until from entries where key = $1 and until > $2"
PUT = """
insert into entries (key, value, until, size) values ($1, $2, $3, $4)
on conflict (key) do update set value = excluded.value, until = excluded.until, size = excluded.size
"""
DELETE = "delete from entries where key = $1"
EXPIRE = "delete from entries where rowid in (select rowid from entries where until <= $1 limit $2)"
OLDEST = "select rowid, size from entries order by rowid limit $1"
EVICT = "delete from entries where rowid <= $1"
SIZE = "select coalesce(sum(size), 0) from entries"


class Change(NamedTuple):
    """A value to keep, or None to drop it."""

    key: str
    value: bytes | None
    until: float


class Get(NamedTuple):
    key: str
    loop: asyncio.AbstractEventLoop
    found: asyncio.Future[tuple[bytes, float] | None]
