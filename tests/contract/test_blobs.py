"""What every Blobs keeps to."""

from __future__ import annotations

import pytest

from penstock.errors import Unavailable
from penstock.platforms.memory.world import FakeClock
from penstock.ports import Blobs


async def test_a_value_is_there_until_its_time_is_up(blobs: Blobs, clock: FakeClock) -> None:
    await blobs.put("a", b"1", 10)
    clock.advance(9.999)
    assert await blobs.get("a") == b"1"
    clock.advance(0.001)
    assert await blobs.get("a") is None


async def test_what_was_never_put_is_not_there(blobs: Blobs) -> None:
    assert await blobs.get("a") is None
    await blobs.delete("a")


async def test_the_last_value_and_time_count(blobs: Blobs, clock: FakeClock) -> None:
    await blobs.put("a", b"1", 10)
    await blobs.put("a", b"2", 100)
    clock.advance(50)
    assert await blobs.get("a") == b"2"


async def test_what_is_deleted_is_gone(blobs: Blobs) -> None:
    await blobs.put("a", b"1", 10)
    await blobs.put("b", b"2", 10)
    await blobs.delete("a")
    assert await blobs.get("a") is None
    assert await blobs.get("b") == b"2"


async def test_no_time_at_all_keeps_nothing_and_drops_the_older_value(blobs: Blobs) -> None:
    await blobs.put("a", b"1", 10)
    await blobs.put("a", b"2", 0)
    assert await blobs.get("a") is None


async def test_values_are_bytes_of_any_kind(blobs: Blobs) -> None:
    value = bytes(range(256))
    await blobs.put("schlüssel", value, 10)
    await blobs.put("empty", b"", 10)
    assert await blobs.get("schlüssel") == value
    assert await blobs.get("empty") == b""


async def test_nothing_is_dropped_for_what_has_no_room(blobs: Blobs) -> None:
    """The promise that a cache does not make: 100,000 bytes are kept, and the next are refused."""
    for number in range(9):
        await blobs.put(f"{number}", bytes(10_000), 10)
    with pytest.raises(Unavailable):
        await blobs.put("more", bytes(20_000), 10)
    assert await blobs.get("more") is None
    assert [await blobs.get(f"{number}") for number in range(9)] == [bytes(10_000)] * 9
    await blobs.put("little", b"1", 10)
    assert await blobs.get("little") == b"1"


async def test_a_value_put_again_takes_the_room_of_one(blobs: Blobs) -> None:
    for _ in range(30):
        await blobs.put("a", bytes(40_000), 10)
    assert await blobs.get("a") == bytes(40_000)


async def test_what_is_deleted_or_over_leaves_its_room(blobs: Blobs, clock: FakeClock) -> None:
    await blobs.put("a", bytes(90_000), 10)
    await blobs.delete("a")
    await blobs.put("b", bytes(90_000), 10)
    clock.advance(10)
    await blobs.put("c", bytes(90_000), 10)
    assert await blobs.get("c") == bytes(90_000)
