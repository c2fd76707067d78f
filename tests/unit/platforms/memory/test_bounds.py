"""What bounds the memory of the meter and the store."""

from __future__ import annotations

from penstock.platforms.memory.counts import Log, Shelf
from penstock.platforms.memory.meter import MemoryMeter
from penstock.platforms.memory.store import OVERHEAD, MemoryStore
from penstock.platforms.memory.world import FakeClock
from penstock.ports import Demand, Lease

WINDOW = 60_000_000


def test_a_shelf_forgets_what_no_longer_counts() -> None:
    shelf, now = Shelf(Log, WINDOW, 0), 0
    for number in range(10_000):
        now += WINDOW // 100
        shelf.bring(f"k{number}", now)
    assert shelf.size <= 400


def test_a_shelf_never_forgets_what_still_counts() -> None:
    shelf, now = Shelf(Log, WINDOW, 0), 0
    for number in range(1_000):
        now += WINDOW // 100
        shelf.bring(f"k{number}", now).take(now, WINDOW, 5, 1)
        recent = shelf.find(f"k{max(0, number - 99)}")
        assert recent is not None
        assert recent.take(now, WINDOW, 5, 0)[1] == 4


def test_a_key_that_comes_again_is_not_old() -> None:
    shelf, now = Shelf(Log, WINDOW, 0), 0
    kept = shelf.bring("kept", now)
    for number in range(1_000):
        now += WINDOW // 10
        assert shelf.bring("kept", now) is kept if "kept" not in shelf.young else True
        shelf.bring(f"k{number}", now)
    assert shelf.find("kept") is kept


async def test_more_callers_than_the_bound_at_once_leave_the_latest() -> None:
    meter = MemoryMeter(FakeClock(), most_keys=100)
    for number in range(10_000):
        assert isinstance(await meter.take([Demand("rate", "p", f"k{number}", 1, 60)]), Lease)
    assert not isinstance(await meter.take([Demand("rate", "p", "k9950", 1, 60)]), Lease)
    assert isinstance(await meter.take([Demand("rate", "p", "k0", 1, 60)]), Lease)


async def test_what_is_given_back_leaves_nothing_behind() -> None:
    meter = MemoryMeter(FakeClock())
    for number in range(1_000):
        demands = [Demand("parallel", "p", f"k{number}", 1), Demand("tokens", "t", "k", 100, 60)]
        lease = await meter.take(demands)
        assert isinstance(lease, Lease)
        await meter.give(lease)
    assert (len(meter._busy), len(meter._open)) == (0, 0)


async def test_marks_whose_time_is_over_go() -> None:
    clock = FakeClock()
    meter = MemoryMeter(clock)
    for number in range(10_000):
        await meter.mark(f"k{number}", clock.now() + 100)
        clock.advance(1)
    assert len(meter._marks) < 1_500


async def test_the_store_drops_what_was_used_longest_ago() -> None:
    store = MemoryStore(FakeClock(), max_bytes=10 * (1_000 + OVERHEAD))
    for number in range(9):
        await store.put(f"k{number}", bytes(990), 60)
    assert await store.get("k0") is not None
    await store.put("k9", bytes(990), 60)
    await store.put("k10", bytes(990), 60)
    assert await store.get("k1") is None
    assert await store.get("k0") is not None
    assert store.bytes <= 10 * (1_000 + OVERHEAD)


async def test_the_store_counts_what_it_holds() -> None:
    clock = FakeClock()
    store = MemoryStore(clock, max_bytes=5_000)
    await store.put("a", bytes(100), 10)
    await store.put("a", bytes(200), 10)
    assert store.bytes == 201 + OVERHEAD
    await store.put("whale", bytes(6_000), 10)
    assert await store.get("whale") is None
    clock.advance(10)
    assert await store.get("a") is None
    assert (store.bytes, len(store)) == (0, 0)
