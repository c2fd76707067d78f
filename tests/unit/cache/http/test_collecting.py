"""Collections: whoever reads, at whatever pace, gets the whole body; it is kept whole or not at all."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.cache.http.collecting import Collection, Reader, Room
from penstock.errors import Broken
from tests.unit.cache.http.scene import Parts


class Kept:
    """What was put together, and how often it was said to be over."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.done = 0

    async def __call__(self, body: bytes) -> None:
        self.bodies.append(body)

    def over(self) -> None:
        self.done += 1


def collection(source: Parts, most: int = 100) -> tuple[Collection, Kept]:
    kept = Kept()
    return Collection(source, most, kept, kept.over), kept


def reader(of: Collection) -> Reader:
    found = of.reader()
    assert found is not None
    return found


async def read(one: Reader) -> bytes:
    return b"".join([part async for part in one])


async def test_a_body_passes_and_is_kept_before_its_end_is_told() -> None:
    source = Parts(b"ab", b"cd")
    of, kept = collection(source)
    one = reader(of)
    assert [await anext(one), await anext(one)] == [b"ab", b"cd"]
    assert kept.bodies == []
    with pytest.raises(StopAsyncIteration):
        await anext(one)
    assert kept.bodies == [b"abcd"]
    await one.aclose()
    await one.aclose()
    assert source.closed >= 1
    assert kept.bodies == [b"abcd"]


async def test_who_joins_late_gets_all_of_it() -> None:
    of, kept = collection(Parts(b"ab", b"cd"))
    first = reader(of)
    await anext(first)
    second = reader(of)
    assert await read(second) == b"abcd"
    assert await read(first) == b"cd"
    third = reader(of)
    assert await read(third) == b"abcd"
    assert kept.bodies == [b"abcd"]


async def test_one_that_leaves_leaves_the_rest_to_the_others() -> None:
    source = Parts(b"ab", b"cd")
    of, kept = collection(source)
    first, second = reader(of), reader(of)
    await anext(first)
    await first.aclose()
    assert source.closed == 0
    assert await read(second) == b"abcd"
    assert kept.bodies == [b"abcd"]


async def test_one_that_is_cancelled_while_it_pulls_leaves_the_rest_to_the_others() -> None:
    gate = asyncio.Semaphore(0)
    of, kept = collection(Parts(b"ab", b"cd", gate=gate))
    first, second = reader(of), reader(of)
    pulling = asyncio.create_task(read(first))
    waiting = asyncio.create_task(read(second))
    await asyncio.sleep(0)
    pulling.cancel()
    await asyncio.wait([pulling])
    await first.aclose()
    for _ in range(3):
        gate.release()
    assert await waiting == b"abcd"
    assert kept.bodies == [b"abcd"]


async def test_once_the_last_has_left_the_source_is_closed_and_nothing_is_kept() -> None:
    source = Parts(b"ab", b"cd")
    of, kept = collection(source)
    first, second = reader(of), reader(of)
    await anext(first)
    await first.aclose()
    await second.aclose()
    assert (source.closed, kept.bodies) == (1, [])
    assert kept.done
    assert of.reader() is None


async def test_one_that_never_read_is_closed_too() -> None:
    source = Parts(b"ab")
    of, kept = collection(source)
    await reader(of).aclose()
    assert (source.closed, kept.bodies) == (1, [])


@pytest.mark.parametrize("failure", [Broken(), RuntimeError("a bug")])
async def test_what_broke_off_is_not_kept_and_each_reader_is_told(failure: Exception) -> None:
    of, kept = collection(Parts(b"ab", failure))
    first, second = reader(of), reader(of)
    with pytest.raises(type(failure)):
        await read(first)
    assert await anext(second) == b"ab"
    for _ in range(2):
        with pytest.raises(Broken):
            await anext(second)
    await first.aclose()
    await second.aclose()
    assert kept.bodies == []
    assert kept.done


async def test_what_is_too_long_passes_and_is_not_kept() -> None:
    of, kept = collection(Parts(b"abc", b"def", b"ghi"), most=5)
    slow, fast = reader(of), reader(of)
    assert await anext(slow) == b"abc"
    assert await read(fast) == b"abcdefghi"
    assert of.reader() is None
    assert await read(slow) == b"defghi"
    assert kept.bodies == []


async def test_of_what_is_too_long_nothing_is_held_that_all_have_had() -> None:
    of, _ = collection(Parts(*[b"abc"] * 50), most=5)
    one = reader(of)
    while await anext(one, None):
        assert len(of._parts) <= 2


async def test_what_is_just_short_enough_is_kept() -> None:
    of, kept = collection(Parts(b"abc", b"de"), most=5)
    assert await read(reader(of)) == b"abcde"
    assert kept.bodies == [b"abcde"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.binary(min_size=1, max_size=4), max_size=6),
    st.integers(0, 20),
    st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=40),
    st.booleans(),
)
async def test_in_whatever_order_they_read_and_leave(
    parts: list[bytes], most: int, steps: list[tuple[int, bool]], fails: bool
) -> None:
    """Each reader has a beginning of the body; it is kept only where it was whole and short enough."""
    source = Parts(*parts, *([Broken()] if fails else []))
    of, kept = collection(source, most)
    got: dict[int, bytes] = {}
    readers: dict[int, Reader] = {}
    for who, leaves in steps:
        if who not in readers:
            if (found := of.reader()) is None:
                continue
            readers[who], got[who] = found, b""
        elif leaves:
            await readers.pop(who).aclose()
            continue
        try:
            got[who] += await anext(readers[who], b"")
        except Broken:
            assert fails
    for one in readers.values():
        await one.aclose()
    whole = b"".join(parts)
    assert all(whole.startswith(had) for had in got.values())
    assert kept.bodies in ([], [whole])
    assert not kept.bodies or (not fails and len(whole) <= most)
    assert not got or source.closed


async def test_where_there_is_no_room_it_passes_and_is_not_kept() -> None:
    room, held = Room(10), Kept()
    first = Collection(Parts(b"12345", b"6"), 100, held, held.over, room)
    second = Collection(Parts(b"12345", b"67", b"8"), 100, held, held.over, room)
    one, two = reader(first), reader(second)
    assert (await anext(one), await anext(two)) == (b"12345", b"12345")
    assert room.held == 10
    assert (await anext(two), second.reader()) == (b"67", None)
    assert room.held == 5
    assert (await read(two), await read(one)) == (b"8", b"6")
    await two.aclose()
    assert held.bodies == [b"123456"]
    await one.aclose()
    await one.aclose()
    assert room.held == 0
    third = Collection(Parts(b"123456"), 100, held, held.over, room)
    assert await read(reader(third)) == b"123456"
    assert held.bodies == [b"123456"] * 2


async def test_who_comes_when_all_was_read_still_gets_it_if_it_was_the_whole() -> None:
    whole, _ = collection(Parts(b"ab", b"cd"))
    one = reader(whole)
    assert await read(one) == b"abcd"
    await one.aclose()
    assert await read(reader(whole)) == b"abcd"
    left, _ = collection(Parts(b"ab", b"cd"))
    one = reader(left)
    await anext(one)
    await one.aclose()
    assert left.reader() is None
