"""A part of a store: no more than its share, the oldest first, and nobody else's."""

from __future__ import annotations

import random

from penstock.cache.http.bounded import OVERHEAD, Bounded
from penstock.platforms.memory.store import MemoryStore
from penstock.platforms.memory.world import FakeClock

ROOM = 10 * (OVERHEAD + 101)
"""For ten values of 100 bytes under keys of one."""


async def keys(store: MemoryStore | Bounded) -> str:
    return "".join([key for key in "abcdefghijklmnop" if await store.get(key) is not None])


async def test_what_was_put_first_goes_first_and_only_of_ones_own() -> None:
    store = MemoryStore(FakeClock())
    part = Bounded(store, ROOM)
    await store.put("p", bytes(100_000), 60)
    for key in "abcdefghij":
        await part.put(key, bytes(100), 60)
    assert await keys(store) == "abcdefghijp"
    await part.put("a", bytes(100), 60)
    await part.put("k", bytes(100), 60)
    assert await keys(store) == "acdefghijkp"
    await part.delete("k")
    await part.put("l", bytes(100), 60)
    assert await keys(part) == "acdefghijlp"


async def test_what_is_too_large_takes_the_place_of_nothing() -> None:
    store = MemoryStore(FakeClock())
    part = Bounded(store, ROOM)
    await part.put("a", b"old", 60)
    await part.put("b", b"b", 60)
    await part.put("a", bytes(ROOM), 60)
    assert await keys(store) == "b"
    part.most = 0
    await part.put("c", b"c", 60)
    assert await keys(store) == "b"
    part.most = OVERHEAD + 2
    await part.put("c", b"c", 60)
    assert await keys(store) == "c"


async def test_it_never_holds_more_and_counts_what_it_holds() -> None:
    chances = random.Random(7)
    store = MemoryStore(FakeClock())
    part = Bounded(store, ROOM)
    for _ in range(2_000):
        key = chances.choice("abcdefghijklmnop")
        if chances.random() < 0.2:
            await part.delete(key)
        else:
            await part.put(key, bytes(chances.randrange(400)), 60)
        held = [(key, await store.get(key)) for key in "abcdefghijklmnop"]
        sizes = [len(key) + len(value) + OVERHEAD for key, value in held if value is not None]
        assert part.bytes == sum(sizes) <= ROOM
