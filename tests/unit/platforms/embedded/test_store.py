"""What the embedded store does beyond the port: it survives a restart, within bounds, and a damaged file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import pytest

from penstock.platforms.embedded import store as module
from penstock.platforms.embedded.shelf import ROW_BYTES, Shelf
from penstock.platforms.embedded.store import EmbeddedStore
from penstock.platforms.memory.world import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.sqlite"


@asynccontextmanager
async def opened(path: Path, clock: FakeClock, size: int = 50_000) -> AsyncGenerator[EmbeddedStore]:
    store = EmbeddedStore(path, clock, size)
    try:
        yield store
    finally:
        await store.close()


async def test_values_survive_a_restart_until_their_time(path: Path, clock: FakeClock) -> None:
    async with opened(path, clock) as store:
        await store.put("short", b"1", 10)
        await store.put("long", b"2", 100)
        await store.put("gone", b"3", 100)
        await store.delete("gone")
    clock.advance(50)
    async with opened(path, clock) as store:
        assert await store.get("short") is None
        assert await store.get("long") == b"2"
        assert await store.get("gone") is None
        clock.advance(50)
        assert await store.get("long") is None


async def test_what_memory_no_longer_holds_is_in_the_file(path: Path, clock: FakeClock) -> None:
    async with opened(path, clock, 20_000) as store:
        for number in range(40):
            await store.put(f"k{number}", bytes([number]) * 3_000, 100)
        assert len(store._memory) < 10
        for number in range(40):
            assert await store.get(f"k{number}") == bytes([number]) * 3_000


async def test_a_deleted_value_stays_deleted_once_memory_forgot_it(
    path: Path, clock: FakeClock, until
) -> None:
    async with opened(path, clock) as store:
        await store.put("a", b"1", 100)
        await until(lambda: not store._waiting and not store._writing)
        await store.delete("a")
        assert await store.get("a") is None
    async with opened(path, clock) as store:
        assert await store.get("a") is None


async def test_what_is_in_no_place_asks_no_thread(path: Path, clock: FakeClock, until) -> None:
    async with opened(path, clock) as store:
        await until(lambda: store._sieve is not None)
        coroutine = store.get("never there")
        with pytest.raises(StopIteration):
            coroutine.send(None)


def test_the_file_is_bounded_and_the_oldest_go(path: Path, clock: FakeClock) -> None:
    shelf = Shelf(path, clock, 100_000)
    for number in range(1_000):
        shelf.write({f"k{number:04}": (bytes(1_000), clock.now() + 100)})
    kept = shelf.all_keys()
    assert len(kept) * (1_000 + ROW_BYTES) < 100_000
    assert len(kept) > 60
    assert min(kept) == f"k{1_000 - len(kept):04}"
    assert path.stat().st_size < 200_000
    shelf.close()


def test_a_value_put_again_is_not_the_oldest(path: Path, clock: FakeClock) -> None:
    shelf = Shelf(path, clock, 100_000)
    for number in range(200):
        again = {"kept": (b"v", clock.now() + 100)}
        shelf.write({f"k{number}": (bytes(1_000), clock.now() + 100), **again})
    assert shelf.get("kept") == (b"v", clock.now() + 100)
    shelf.close()


def test_expired_rows_go(path: Path, clock: FakeClock) -> None:
    shelf = Shelf(path, clock, 1_000_000)
    shelf.write({f"k{number}": (b"v", clock.now() + 10) for number in range(100)})
    clock.advance(10)
    shelf.write({"new": (b"v", clock.now() + 10)})
    assert shelf.all_keys() == ["new"]
    shelf.close()


@pytest.fixture
def spoilt(path: Path) -> Path:
    path.write_bytes(b"no database " * 1_000)
    return path


async def test_a_damaged_file_is_made_anew(spoilt: Path, clock: FakeClock) -> None:
    path = spoilt
    async with opened(path, clock) as store:
        await store.put("a", b"1", 100)
    async with opened(path, clock) as store:
        assert await store.get("a") == b"1"


async def test_damage_found_later_is_mended_too(
    path: Path, clock: FakeClock, until, caplog, monkeypatch
) -> None:
    async with opened(path, clock) as store:
        await until(lambda: store._sieve is not None)

        def damaged(_: object) -> None:
            raise apsw.CorruptError("database disk image is malformed")

        with monkeypatch.context() as patch:
            patch.setattr(store._writer, "write", damaged)
            await store.put("lost", b"1", 100)
            await until(lambda: "damaged" in caplog.text)
        await until(lambda: not store._waiting and not store._writing)
        await store.put("kept", b"2", 100)
    async with opened(path, clock) as store:
        assert await store.get("kept") == b"2"
        assert await store.get("lost") is None


async def test_a_value_that_is_not_what_was_written_is_none(path: Path, clock: FakeClock) -> None:
    async with opened(path, clock) as store:
        await store.put("a", b"mine", 100)
        await store.put("b", b"thine", 100)
    connection = apsw.Connection(str(path))
    swap = "update entries set value = (select value from entries where key = 'b') where key = 'a'"
    connection.execute(swap)
    connection.close()
    async with opened(path, clock) as store:
        assert await store.get("a") is None
        assert await store.get("b") == b"thine"


async def test_what_finds_no_room_to_wait_is_in_memory_alone(
    path: Path, clock: FakeClock, monkeypatch, until
) -> None:
    async with opened(path, clock) as store:
        await store.put("old", b"old", 100)
        await until(lambda: store._sieve is not None and not store._waiting and not store._writing)
        monkeypatch.setattr(module, "WAITING_BYTES", 2_000)
        await store.put("a", bytes(1_500), 100)
        await store.put("b", bytes(1_500), 100)
        await store.put("old", bytes(1_500), 100)
        assert await store.get("b") == await store.get("old") == bytes(1_500)
    async with opened(path, clock) as store:
        assert await store.get("a") == bytes(1_500)
        assert await store.get("b") is None
        assert await store.get("old") is None


async def test_a_disk_that_fails_leaves_memory(path: Path, clock: FakeClock, until, caplog) -> None:
    async with opened(path, clock) as store:
        await until(lambda: store._sieve is not None)
        store._writer._connection.pragma("query_only", True)
        await store.put("a", b"1", 100)
        await until(lambda: "cannot be written" in caplog.text)
        assert await store.get("a") == b"1"


async def test_many_tasks_at_once(path: Path, clock: FakeClock) -> None:
    async def use(store: EmbeddedStore, number: int) -> None:
        for turn in range(20):
            key = f"k{number}-{turn % 4}"
            await store.put(key, str(turn).encode() * 100, 100)
            found = await store.get(key)
            assert found is None or found == str(turn).encode() * 100
            if turn % 7 == 0:
                await store.delete(key)
                assert await store.get(key) is None

    async with opened(path, clock, 4_000) as store:
        await asyncio.gather(*(use(store, number) for number in range(50)))
