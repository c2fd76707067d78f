"""The embedded index's file: not there until it is used, found again after any end, of one model."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from penstock.errors import Unavailable
from penstock.platforms.embedded.index import EmbeddedIndex
from penstock.platforms.embedded.index_sql import SCHEMA, TOLD
from penstock.platforms.memory.world import FakeClock
from penstock.ports import Entry, Vector

ROOT = Path(__file__).parents[4]
MODEL = "small"
EAST = Vector(MODEL, (1.0, 0.0))

WRITE = """
import asyncio, sys
from pathlib import Path
from penstock.platforms.embedded.index import EmbeddedIndex
from penstock.platforms.memory.world import FakeClock
from penstock.ports import Entry, Vector

async def main():
    index = EmbeddedIndex(Path(sys.argv[1]), FakeClock(), "small", 2)
    async def write(writer):
        for number in range(100_000):
            name = f"w{writer}n{number}"
            vector = Vector("small", (1.0, 0.0))
            await index.upsert([Entry(f"{name}e{n}", "ann", name, vector, ("x", name)) for n in range(5)])
            sys.stdout.write(name + chr(10))
            sys.stdout.flush()
    await asyncio.gather(*(write(writer) for writer in range(4)))

asyncio.run(main())
"""


def made(path: Path, model: str = MODEL, dimension: int = 2) -> EmbeddedIndex:
    return EmbeddedIndex(path, FakeClock(), model, dimension)


def files(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


def counted(path: Path, sql: str) -> int:
    connection = apsw.Connection(str(path), apsw.SQLITE_OPEN_READONLY)
    try:
        [(count,)] = connection.execute(sql)
        return int(count)
    finally:
        connection.close()


async def test_a_file_that_is_not_used_is_not_made(tmp_path: Path) -> None:
    await made(tmp_path / "index.sqlite").close()
    assert not files(tmp_path)


async def test_what_was_written_is_found_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    first = made(path)
    await asyncio.gather(
        *[first.upsert([Entry(f"n{n}", "ann", "d", EAST, ("x",))]) for n in range(9)]
    )
    # Another one beside it sees what was committed, as the next process does after a kill.
    second = made(path)
    found = await second.search("ann", 20, vector=EAST, terms=["x"])
    assert [match.id for match in found.by_vector] == [f"n{n}" for n in range(9)]
    assert [match.id for match in found.by_terms] == [f"n{n}" for n in range(9)]
    await second.close()
    await first.close()
    third = made(path)
    assert (await third.describe()).entries == 9
    await third.close()


async def test_another_process_is_followed(tmp_path: Path) -> None:
    """Whoever writes: what is held in memory is brought up to date with each search."""
    path = tmp_path / "index.sqlite"
    one, other = made(path), made(path)
    for number in range(40):
        writer, reader = (one, other) if number % 2 else (other, one)
        await writer.upsert([Entry(f"n{number:02}", "ann", f"d{number % 3}", EAST, ("x",))])
        if number % 5 == 4:
            await reader.delete("ann", [f"n{number - 3:02}"])
        left = [f"n{n:02}" for n in range(number + 1) if n % 5 != 1 or n + 3 > number]
        for index in (reader, writer):
            found = await index.search("ann", 100, vector=EAST, terms=["x"])
            assert [match.id for match in found.by_vector] == left
            assert [match.id for match in found.by_terms] == left
    await one.close()
    await other.close()


@pytest.mark.parametrize("most_bytes", [0, 100, 5_000])
async def test_what_does_not_fit_in_memory_is_found_all_the_same(
    tmp_path: Path, most_bytes: int
) -> None:
    index = EmbeddedIndex(tmp_path / "i.sqlite", FakeClock(), MODEL, 2, most_bytes=most_bytes)
    for owner in ("ann", "bob", "cid"):
        await index.upsert([Entry(f"n{n}", owner, "d", EAST, ("x",)) for n in range(9)])
    for owner in ("ann", "bob", "ann", "cid"):
        found = await index.search(owner, 5, vector=EAST, terms=["x"])
        assert [match.id for match in found.by_vector] == [f"n{n}" for n in range(5)]
        assert [match.id for match in found.by_terms] == [f"n{n}" for n in range(5)]
    await index.close()


async def test_searches_writes_and_deletes_at_once_leave_what_is_there(tmp_path: Path) -> None:
    index = EmbeddedIndex(tmp_path / "i.sqlite", FakeClock(), MODEL, 2, most_bytes=9_000)

    async def write(owner: str) -> None:
        for turn in range(20):
            terms = ("x", f"t{turn}")
            await index.upsert([Entry(f"n{n}", owner, f"d{turn}", EAST, terms) for n in range(20)])
            if turn % 3 == 0:
                await index.delete(owner, document=f"d{turn}")

    async def search(owner: str) -> None:
        for turn in range(60):
            found = await index.search(owner, 50, vector=EAST, terms=["x", f"t{turn}"])
            assert len(found.by_vector) in (0, 20)
            assert len(found.by_terms) in (0, 20)

    owners = ["ann", "bob", "cid", "dan"]
    await asyncio.gather(*map(write, owners), *map(search, owners), *map(search, owners))
    for owner in owners:
        assert len((await index.search(owner, 50, vector=EAST)).by_vector) == 20
    await index.close()


async def test_owners_who_asked_long_ago_are_let_go(tmp_path: Path) -> None:
    pytest.importorskip("numpy", reason="nothing is held without numpy")
    from penstock.platforms.embedded.arrays import OWNER_BYTES, Held

    index = EmbeddedIndex(
        tmp_path / "i.sqlite", FakeClock(), MODEL, 2, most_bytes=3 * OWNER_BYTES, arrays=True
    )
    for number in range(9):
        await index.upsert([Entry("a", f"owner{number}", "d", EAST, ("x",))])
        await index.search(f"owner{number}", 1, vector=EAST, terms=["x"])
        await index.search(f"nobody{number}", 1, vector=EAST, terms=["x"])
    held = index._held
    assert isinstance(held, Held)
    assert OWNER_BYTES < held.size <= 3 * OWNER_BYTES
    await index.close()


async def test_a_file_that_cannot_be_opened_is_out_of_reach(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    path.write_bytes(b"no database" * 1_000)
    index = made(path)
    with pytest.raises(Unavailable):
        await index.describe()
    await index.close()


async def test_no_posting_outlives_its_entry(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    index = made(path)
    await index.upsert([Entry(f"n{n}", "ann", f"d{n}", EAST, ("x", "y", "x")) for n in range(4)])
    await index.upsert([Entry("n0", "ann", "d0", EAST, ("z",))])
    await index.delete("ann", ["n1"], "d2")
    assert counted(path, "select count(*) from postings") == 1 + 2
    await index.close()


async def test_no_text_of_a_term_or_owner_lies_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    index = made(path)
    await index.upsert([Entry("a", "ann-the-owner", "d", EAST, ("a-secret-word",))])
    await index.close()
    content = path.read_bytes()
    assert b"a-secret-word" not in content
    assert b"ann-the-owner" not in content


def test_terms_are_looked_up_and_not_looked_for() -> None:
    """SQLite's own order of the joins walks all of the owner's entries, however rare the term."""
    connection = apsw.Connection(":memory:")
    connection.execute(SCHEMA[0].sql)
    plan = [row[3] for row in connection.execute(f"explain query plan {TOLD}", (None,) * 4)]
    assert "SEARCH postings USING PRIMARY KEY (slot=?)" in plan
    assert "SEARCH entries USING INTEGER PRIMARY KEY (rowid=?)" in plan


def test_what_was_written_survives_a_kill_whole(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}
    command = [sys.executable, "-c", WRITE, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(50)]
        process.send_signal(signal.SIGKILL)
        said += process.stdout.readlines()
    whole = {line.strip() for line in said if line.endswith("\n")}
    connection = apsw.Connection(str(path))
    found = dict(connection.execute("select document, count(*) from entries group by document"))
    assert len(whole) >= 50
    assert whole <= found.keys()
    assert set(found.values()) == {5}
    assert counted(path, "select count(*) from postings") == 10 * len(found)
    assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
    connection.close()
