"""What every Store keeps to."""

from __future__ import annotations

from penstock.platforms.memory.world import FakeClock
from penstock.ports import Store


async def test_a_value_is_there_until_its_time_is_up(store: Store, clock: FakeClock) -> None:
    await store.put("a", b"1", 10)
    clock.advance(9.999)
    assert await store.get("a") == b"1"
    clock.advance(0.001)
    assert await store.get("a") is None


async def test_what_was_never_put_is_not_there(store: Store) -> None:
    assert await store.get("a") is None


async def test_the_last_value_and_time_count(store: Store, clock: FakeClock) -> None:
    await store.put("a", b"1", 10)
    await store.put("a", b"2", 100)
    clock.advance(50)
    assert await store.get("a") == b"2"


async def test_what_is_deleted_is_gone(store: Store) -> None:
    await store.put("a", b"1", 10)
    await store.delete("a")
    await store.delete("never there")
    assert await store.get("a") is None


async def test_no_time_at_all_keeps_nothing_and_drops_the_older_value(store: Store) -> None:
    await store.put("a", b"1", 10)
    await store.put("a", b"2", 0)
    assert await store.get("a") is None


async def test_values_are_bytes_of_any_kind(store: Store) -> None:
    value = bytes(range(256))
    await store.put("schlüssel\0", value, 10)
    await store.put("empty", b"", 10)
    assert await store.get("schlüssel\0") == value
    assert await store.get("empty") == b""
