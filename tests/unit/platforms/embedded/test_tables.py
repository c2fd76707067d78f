"""What the embedded tables do beyond the port: groups, bounds, disks that fail, the WAL."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from pathlib import Path

import apsw
import pytest

from penstock.errors import Conflict, Misconfigured, Unavailable
from penstock.platforms.embedded import wal
from penstock.platforms.embedded.group import Group
from penstock.platforms.embedded.tables import EmbeddedTables
from penstock.platforms.memory import sqlite
from penstock.platforms.migrations import Migration
from tests.contract.homes import THINGS

ADD = "insert into things (name, data) values ($1, $2)"
COUNT = "select count(*) from things"


def add(name: str, size: int = 10) -> list[tuple[str, tuple[str, bytes]]]:
    return [(ADD, (name, bytes(size)))]


@pytest.fixture
def connection() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    sqlite.migrate(connection, THINGS, 0)
    return connection


def names(connection: apsw.Connection) -> str:
    return "".join(str(name) for (name,) in connection.execute("select name from things"))


def test_one_bad_batch_in_a_group_harms_no_other(connection: apsw.Connection) -> None:
    outcomes = Group(connection).run([add("a"), add("b") + add("a"), add("c"), add("c")])
    assert [getattr(outcome, "name", "written") for outcome in outcomes] == [
        "written", "things_pkey", "written", "things_pkey",
    ]  # fmt: skip
    assert names(connection) == "ac"


def test_a_batch_that_cannot_be_bound_harms_no_other(connection: apsw.Connection) -> None:
    strange = [(ADD, (object(), b""))]
    huge = [("insert into things (name, number) values ($1, $2)", ("h", 2**70))]
    outcomes = Group(connection).run([add("a"), strange, huge, add("b")])  # type: ignore[list-item]  # on purpose
    assert [isinstance(outcome, Exception) for outcome in outcomes] == [False, True, True, False]
    assert names(connection) == "ab"


def test_a_batch_that_loses_the_transaction_harms_no_other(connection: apsw.Connection) -> None:
    lost = [("insert or rollback into things (name) values ($1)", ("a",))]
    outcomes = Group(connection).run([add("a"), lost, add("b")])
    assert isinstance(outcomes[1], Conflict)
    assert names(connection) == "ab"


async def test_many_batches_share_a_transaction(tables: EmbeddedTables) -> None:
    commits = []
    keeper = tables._keeper.committed

    def count(*args) -> int:
        commits.append(args)
        return keeper(*args)

    tables._write.set_wal_hook(count)
    await asyncio.gather(*(tables.batch(*add(f"n{number}")) for number in range(300)))
    assert len(commits) < 100
    assert await tables.rows(COUNT) == [(300,)]


async def test_too_many_waiting_batches_are_refused(tmp_path: Path) -> None:
    tables = EmbeddedTables(tmp_path / "t.sqlite", THINGS, 0.0, most_waiting=5)
    with tables._writer._pause:
        waiting = [asyncio.ensure_future(tables.batch(*add(f"n{number}"))) for number in range(20)]
        await asyncio.sleep(0)
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {list, Unavailable}
    written = sum(isinstance(outcome, list) for outcome in outcomes)
    assert await tables.rows(COUNT) == [(written,)]
    await tables.close()


async def test_closing_writes_what_waits_and_takes_no_more(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite"
    tables = EmbeddedTables(path, THINGS, 0.0)
    waiting = [asyncio.ensure_future(tables.batch(*add(f"n{number}"))) for number in range(200)]
    await asyncio.sleep(0)
    await tables.close()
    await asyncio.gather(*waiting)
    with pytest.raises(Unavailable):
        await tables.batch(*add("late"))
    assert os.listdir(tmp_path) == ["t.sqlite"]
    assert apsw.Connection(str(path)).execute(COUNT).fetchall() == [(200,)]


async def test_a_full_disk_refuses_and_recovers(tables: EmbeddedTables) -> None:
    await tables.batch(*add("first"))
    most = tables._write.pragma("page_count")
    tables._write.pragma("max_page_count", most)
    asked = [tables.batch(*add(f"big{number}", 100_000)) for number in range(3)]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
    assert await tables.rows("select name from things") == [("first",)]
    tables._write.pragma("max_page_count", 1_000_000)
    await tables.batch(*add("big", 100_000))
    assert await tables.rows(COUNT) == [(2,)]


async def test_a_database_that_may_not_be_written_refuses(tables: EmbeddedTables) -> None:
    tables._write.pragma("query_only", True)
    with pytest.raises(Unavailable):
        await tables.batch(*add("a"))
    tables._write.pragma("query_only", False)
    await tables.batch(*add("a"))


async def test_another_process_that_writes_is_waited_for(tables: EmbeddedTables, until) -> None:
    other = apsw.Connection(tables._write.filename)
    other.execute("begin immediate")
    task = asyncio.ensure_future(tables.batch(*add("a")))
    await until(tables._writer._pause.locked)
    assert not task.done()
    other.execute("commit")
    await task
    other.execute("begin immediate")
    tables._write.set_busy_timeout(0)
    with pytest.raises(Unavailable):
        await tables.batch(*add("b"))
    other.execute("rollback")
    await tables.batch(*add("b"))
    other.close()


async def test_a_read_does_not_keep_writes_waiting(tables: EmbeddedTables, monkeypatch) -> None:
    monkeypatch.setattr("penstock.platforms.embedded.tables.READ_SECONDS", 0.2)
    endless = """
    with recursive n(x) as (select 1 union all select x + 1 from n) select max(x) from n
    """
    read = asyncio.ensure_future(tables.rows(endless))
    await asyncio.sleep(0)
    await tables.batch(*add("a"))
    assert await tables.rows(COUNT) == [(1,)]
    assert not read.done()
    with pytest.raises(Unavailable):
        await read
    assert await tables.rows(COUNT) == [(1,)]


async def test_a_read_may_not_write(tables: EmbeddedTables) -> None:
    with pytest.raises(Unavailable):
        await tables.rows("delete from things")


async def test_what_is_committed_reaches_the_disk(tables: EmbeddedTables, until) -> None:
    await until(lambda: not tables._keeper._written.is_set())
    before = tables._keeper.synced
    await tables.batch(*add("a"))
    await until(lambda: tables._keeper.synced > before)


async def test_while_syncing_fails_nothing_is_written(
    tables: EmbeddedTables, until, monkeypatch, caplog
) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(wal, "RETRY_SECONDS", 0.01)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", fail)
        await tables.batch(*add("a"))
        await until(lambda: tables._keeper.failed)
        with pytest.raises(Unavailable):
            await tables.batch(*add("b"))
    await until(lambda: not tables._keeper.failed)
    await tables.batch(*add("c"))
    assert await tables.rows("select name from things order by name") == [("a",), ("c",)]
    assert "OSError" in caplog.text


async def test_the_wal_begins_anew_under_load(tables: EmbeddedTables, monkeypatch) -> None:
    monkeypatch.setattr(wal, "MOST_PAGES", 50)
    number = 0
    async with asyncio.timeout(30):
        while tables._keeper.begun < 3:
            await asyncio.gather(*(tables.batch(*add(f"n{number + k}", 4000)) for k in range(20)))
            number += 20
    assert await tables.rows(COUNT) == [(number,)]
    assert tables._write.execute("pragma integrity_check").fetchall() == [("ok",)]


async def test_another_process_sees_and_is_seen(tables: EmbeddedTables) -> None:
    other = EmbeddedTables(Path(tables._write.filename), THINGS, 0.0)
    await tables.batch(*add("a"))
    await other.batch(*add("b"))
    assert await tables.rows(COUNT) == await other.rows(COUNT) == [(2,)]
    await other.close()
    await tables.batch(*add("c"))
    assert await tables.rows(COUNT) == [(3,)]


def test_what_is_no_database_is_said_plainly(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite"
    path.write_bytes(b"this is no database" * 1000)
    with pytest.raises(Misconfigured, match="NotADBError"):
        EmbeddedTables(path, THINGS, 0.0)


def test_newer_tables_are_said_plainly(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite"
    more = [*THINGS, Migration(2, "more", "create table more (x bigint);")]
    sqlite.migrate(apsw.Connection(str(path)), more, 0)
    with pytest.raises(Misconfigured, match="newer Penstock"):
        EmbeddedTables(path, THINGS, 0.0)
    assert stat.S_ISREG(path.stat().st_mode)


async def test_a_read_does_not_wait_for_the_two_of_a_report(tables: EmbeddedTables) -> None:
    over = threading.Event()
    slow = [asyncio.ensure_future(tables.look(lambda _: over.wait(10))) for _ in range(2)]
    try:
        await asyncio.sleep(0)
        assert await tables.rows(COUNT) == [(0,)]
        assert not any(one.done() for one in slow)
    finally:
        over.set()
    assert await asyncio.gather(*slow) == [True, True]
