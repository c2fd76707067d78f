"""The Cloudflare home's part of `homes.py`: its adapters run in Pyodide, on the bindings that a session started."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

import pytest

from penstock.platforms.memory.world import FakeClock
from penstock.platforms.migrations import shipped
from penstock.ports import Blobs, Crypto, Meter, Parse, Runner, Store, Tables
from tests.contract.homes import THINGS
from tests.edge.exchanges import EdgeFetch, EdgeRunner
from tests.edge.home import EdgeHome, port
from tests.edge.indexes import EdgeIndex


@asynccontextmanager
async def store(
    home: EdgeHome, clock: FakeClock, most: int, form: str = ""
) -> AsyncGenerator[Store]:
    """On KV, or on the Cache API: there each data centre has its own, and the suite runs in one."""
    yield await port(home, clock, "replies" if form == CACHE else "store", most)


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


@asynccontextmanager
async def books(home: EdgeHome) -> AsyncGenerator[Tables]:
    """With all that is shipped."""
    schema = [sql for step in shipped() for sql in statements(step.sql)]
    yield await port(home, FakeClock(), "books", schema)


def statements(script: str) -> Iterator[str]:
    """The statements of a migration: D1 takes one at a time."""
    sql = ""
    for line in script.splitlines(keepends=True):
        sql += line
        if sqlite3.complete_statement(sql):
            yield sql
            sql = ""


@asynccontextmanager
async def fetch(home: EdgeHome) -> AsyncGenerator[EdgeFetch]:
    yield EdgeFetch(home)


@asynccontextmanager
async def runner(home: EdgeHome) -> AsyncGenerator[Runner]:
    yield EdgeRunner(home)


async def parse(home: EdgeHome) -> Parse:
    opened: Parse = await port(home, FakeClock(), "parse")
    return opened


async def crypto(home: EdgeHome) -> Crypto:
    opened: Crypto = await port(home, FakeClock(), "crypto")
    return opened


@asynccontextmanager
async def index(
    home: EdgeHome, clock: FakeClock, model: str, dimension: int, *, has: int | None = None
) -> AsyncGenerator[EdgeIndex]:
    """Over a Vectorize index that has as many dimensions, or others."""
    [step] = [step for step in shipped() if step.name == "vectors"]
    schema = list(statements(step.sql))
    made = dimension if has is None else has
    yield EdgeIndex(await port(home, clock, "index", schema, model, dimension, made))


CACHE = "cloudflare, Cache API"
METERS: dict[str, str] = {"cloudflare": "edge_home"}
STORES: dict[str, str] = {**METERS, CACHE: "edge_home"}
BLOBS: dict[str, str] = METERS
TABLES: dict[str, str] = METERS
FETCHES: dict[str, str] = {"cloudflare": "edge_client"}
CRYPTOS: dict[str, str] = METERS
INDEXES: dict[str, str] = METERS
PARSES: dict[str, str] = METERS
RUNNERS: dict[str, str] = METERS
"""The home's name, and the fixture that has its bindings."""

JOINED = "fetch sorts a reply's headers, joins those of one name and adds to a request's"
PACKING = "no Worker unpacks it, nor asks for it"
LENIENT = "Node's fetch believes it"
NODES = "Node's fetch differs from a Worker's here"
UNFIT_FETCH: dict[str, dict[str, str]] = {
    "test_small_sized_reply_is_bytes": {"": JOINED},
    "test_hop_by_hop_headers_and_cookies_are_stripped": {"": JOINED},
    "test_the_bytes_of_a_request": {"": JOINED},
    "test_its_own_agent_and_encoding": {"": JOINED},
    "test_streamed_body_is_chunked": {"": JOINED},
    "test_a_verbatim_reply_stays_packed": {"": "the platform unpacks"},
    "test_packed_replies": {"x-gzip": PACKING, "deflate": PACKING},
    "test_unsound_reply_is_broken": {
        "transfer-encoding: gzip": LENIENT,
        "transfer-encoding: identity": LENIENT,
        "chunked\\r\\ntransfer-encoding: chunked": LENIENT,
        "content-encoding: br": LENIENT,
    },
    "test_damaged_packing_is_broken": {"cut": LENIENT},
    "test_reply_above_its_cap_is_cut": {"empty blocks": "the platform unpacks"},
    "test_framing": {"100 Continue": NODES},
    "test_a_drip_that_brings_nothing_stalls": {";-idle": NODES},
    "test_what_came_before_a_failure_is_handed_out": {"": "a stream that fails drops what it had"},
    "test_reading_pauses_where_nobody_reads": {"": NODES},
    "test_early_reply_ends_the_upload": {"": NODES},
    "test_refused": {"": "fetch says the same of a refused connection as of a broken one"},
    "test_unreachable_targets": {"": "fetch does not say whether anything was sent"},
    "test_connecting_takes_too_long": {"": "fetch does not tell connecting from waiting"},
    "test_streamed_body_that_fails": {"": "its own test looks at the error, which is told by name"},
}
"""The tests of Fetch that this home cannot have, by what their names have in them, and why."""
UNFIT_FETCH_FILES = {
    "test_pooling": "connections are the platform's",
    "test_tls": "whom TLS believes is the platform's to say",
}


def unfit_for_fetch(item: pytest.Item) -> str:
    """Why a test of Fetch cannot run here; empty if it can."""
    fragments = UNFIT_FETCH.get(getattr(item, "originalname", ""), {})
    found = [reason for fragment, reason in fragments.items() if fragment in item.name]
    return UNFIT_FETCH_FILES.get(item.path.stem) or "".join(found[:1])


UNFIT: dict[str, str] = {
    "test_nothing_is_dropped_for_what_has_no_room": "R2 has no bound: nothing is refused for room",
    "test_keys_are_kept_up_to_a_bound": "it looks into another module: tests/edge has its like",
}
"""The tests of Blobs and Crypto that this home cannot have, and why."""
