"""The embedded blobs' file: not there until it is used, found again, swept."""

from __future__ import annotations

import asyncio
from pathlib import Path

import apsw
import pytest

from penstock.errors import Unavailable
from penstock.platforms.blobs import SWEEP_ROWS
from penstock.platforms.embedded.blobs import EmbeddedBlobs
from penstock.platforms.memory.world import FakeClock


def made(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


def rows(path: Path) -> int:
    connection = apsw.Connection(str(path), apsw.SQLITE_OPEN_READONLY)
    try:
        [(count,)] = connection.execute("select count(*) from blobs")
        return int(count)
    finally:
        connection.close()


async def test_what_was_put_is_found_by_the_next_process(tmp_path: Path) -> None:
    path, clock = tmp_path / "blobs.sqlite", FakeClock()
    first = EmbeddedBlobs(path, clock)
    await asyncio.gather(*[first.put(f"{n}", b"value %d" % n, 10) for n in range(20)])
    # Another one beside it sees what was committed, as the next process does after a kill.
    second = EmbeddedBlobs(path, clock)
    assert [await second.get(f"{n}") for n in range(20)] == [b"value %d" % n for n in range(20)]
    await second.close()
    await first.close()


async def test_a_file_that_is_not_used_is_not_made(tmp_path: Path) -> None:
    blobs = EmbeddedBlobs(tmp_path / "blobs.sqlite", FakeClock())
    await blobs.close()
    assert not made(tmp_path)


async def test_what_is_over_is_swept_with_the_next_put(tmp_path: Path) -> None:
    path, clock = tmp_path / "blobs.sqlite", FakeClock()
    blobs = EmbeddedBlobs(path, clock)
    for number in range(SWEEP_ROWS + 5):
        await blobs.put(f"{number}", b"1", 1)
    clock.advance(1)
    await blobs.put("a", b"1", 1)
    await blobs.put("b", b"1", 1)
    assert rows(path) == 2
    await blobs.close()


async def test_a_file_that_cannot_be_opened_is_out_of_reach(tmp_path: Path) -> None:
    path = tmp_path / "blobs.sqlite"
    path.write_bytes(b"this is no database" * 100)
    blobs = EmbeddedBlobs(path, FakeClock())
    with pytest.raises(Unavailable):
        await blobs.put("a", b"1", 1)
    await blobs.close()
