"""The Cloudflare home's part of `homes.py`: its adapters run in Pyodide, on the bindings that a session started."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

from penstock.platforms.memory.world import FakeClock
from penstock.ports import Blobs, Meter, Store, Tables
from tests.contract.homes import THINGS
from tests.edge.home import EdgeHome, port


@asynccontextmanager
async def store(home: EdgeHome, clock: FakeClock, most: int) -> AsyncGenerator[Store]:
    yield await port(home, clock, "store", most)


@asynccontextmanager
async def blobs(home: EdgeHome, clock: FakeClock) -> AsyncGenerator[Blobs]:
    yield await port(home, clock, "blobs")


@asynccontextmanager
async def meter(home: EdgeHome, clock: FakeClock) -> AsyncGenerator[Meter]:
    yield await port(home, clock, "meter", True)


@asynccontextmanager
async def tables(home: EdgeHome) -> AsyncGenerator[Tables]:
    opened: Tables = await port(home, FakeClock(), "tables")
    for step in THINGS:
        await opened.batch(*((sql, ()) for sql in statements(step.sql)))
    yield opened


def statements(script: str) -> Iterator[str]:
    """The statements of a migration: D1 takes one at a time."""
    sql = ""
    for line in script.splitlines(keepends=True):
        sql += line
        if sqlite3.complete_statement(sql):
            yield sql
            sql = ""


STORES: dict[str, str] = {"cloudflare": "edge_home"}
BLOBS: dict[str, str] = STORES
METERS: dict[str, str] = STORES
TABLES: dict[str, str] = STORES
"""The home's name, and the fixture that has its bindings."""

UNFIT: dict[str, str] = {
    "test_nothing_is_dropped_for_what_has_no_room": "R2 has no bound: nothing is refused for room",
}
"""The tests of Blobs that this home cannot have, and why."""
