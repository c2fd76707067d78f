"""Slots under every order of coming, leaving and waiting, with the time in the test's hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import Overloaded
from penstock.gateway.admission import (
    BEAT_SECONDS,
    CALM,
    COHORT_SECONDS,
    COHORTS,
    HALF_SECONDS,
    WAIT_SECONDS,
    Admission,
    Leave,
)
from penstock.gateway.pace import START
from penstock.platforms.memory.world import Background, FakeClock, FakeIds

ANY, FIRST = False, True


class Room:
    """An admission with so many slots, and its world."""

    def __init__(self, most: int = 10) -> None:
        self.clock, self.background = FakeClock(), Background()
        self.slots = Admission(self.clock, FakeIds(), self.background, most)

    def fill(self, number: int, first: bool = ANY) -> list[Leave]:
        given = [self.slots.begin(first) for _ in range(number)]
        assert all(given)
        return [leave for leave in given if leave]

    def wait(self, first: bool = ANY) -> asyncio.Task[Leave]:
        assert self.slots.begin(first) is None
        return asyncio.ensure_future(self.slots.wait(first))

    async def ended(self) -> None:
        await self.clock.run(10)
        await self.background.join()


async def test_a_fifth_is_kept_for_the_operator() -> None:
    room = Room(10)
    others = room.fill(8)
    assert room.slots.begin(ANY) is None
    own = room.fill(2, FIRST)
    assert room.slots.begin(FIRST) is None
    assert room.slots.running == 10
    for leave in (*others, *own):
        leave()
    assert (room.slots.running, room.slots.young) == (0, 0)


async def test_the_operator_may_use_all_of_it() -> None:
    room = Room(10)
    room.fill(10, FIRST)
    assert room.slots.begin(ANY) is None


async def test_who_waits_gets_the_slot_of_who_leaves() -> None:
    room = Room(10)
    leaves = room.fill(8)
    first, second = room.wait(), room.wait()
    await asyncio.sleep(0)
    leaves.pop()()
    given = await first
    assert not second.done()
    given()
    (await second)()
    for leave in leaves:
        leave()
    await room.ended()
    assert (room.slots.running, room.slots.waiting, room.slots.refused) == (0, 0, 0)


async def test_who_waits_is_refused_within_a_second() -> None:
    room = Room(10)
    leaves = room.fill(8)
    waiting = room.wait()
    await room.clock.run(HALF_SECONDS - BEAT_SECONDS)
    assert not waiting.done()
    await room.clock.run(WAIT_SECONDS - HALF_SECONDS + 2 * BEAT_SECONDS)
    with pytest.raises(Overloaded) as refused:
        await waiting
    assert 2 <= int(dict(refused.value.headers)["retry-after"]) <= 4
    assert (room.slots.refused, room.slots.waiting) == (1, 0)
    for leave in leaves:
        leave()
    await room.ended()


async def test_those_who_came_together_are_not_refused_together() -> None:
    room = Room(10)
    leaves = room.fill(8)
    waiting = [room.wait() for _ in range(400)]
    most, gone, seconds = 0, 0, 0.0
    while gone < 400:
        await room.clock.run(BEAT_SECONDS)
        seconds += BEAT_SECONDS
        now = sum(task.done() for task in waiting)
        if seconds < WAIT_SECONDS - BEAT_SECONDS:
            most = max(most, now - gone)
        gone = now
    assert 0 < most <= 400 // 40
    assert seconds <= WAIT_SECONDS + 2 * BEAT_SECONDS
    assert all(isinstance(task.exception(), Overloaded) for task in waiting)
    for leave in leaves:
        leave()
    await room.ended()


async def test_the_newest_goes_first_once_not_all_can_be_served() -> None:
    room = Room(10)
    leaves = room.fill(8)
    waiting = [room.wait() for _ in range(100)]
    await room.clock.run(HALF_SECONDS - 2 * BEAT_SECONDS)
    leaves.pop()()
    leaves.append(await waiting[0])
    await room.clock.run(4 * BEAT_SECONDS)
    leaves.pop()()
    leaves.append(await waiting[-1])
    assert not waiting[-2].done()
    await room.ended()
    assert room.slots.refused == 98
    assert all(isinstance(task.exception(), Overloaded) for task in waiting[1:-1])
    for leave in leaves:
        leave()


async def test_the_operator_goes_before_who_waits_longer() -> None:
    room = Room(5)
    leaves = room.fill(4)
    other = room.wait()
    own = room.fill(1, FIRST)
    admin = room.wait(FIRST)
    await asyncio.sleep(0)
    own.pop()()
    await admin
    assert not other.done()
    leaves.pop()()
    await other
    for leave in (*leaves, admin.result(), other.result()):
        leave()
    await room.ended()


async def test_who_leaves_while_waiting_leaves_nothing_behind() -> None:
    room = Room(10)
    leaves = room.fill(8)
    gone, lucky = room.wait(), room.wait()
    await asyncio.sleep(0)
    leaves.pop()()  # the slot is given, and in the same moment its owner leaves
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    (await lucky)()
    for leave in leaves:
        leave()
    await room.ended()
    assert (room.slots.running, room.slots.young, room.slots.waiting) == (0, 0, 0)


async def test_who_left_the_queue_gets_no_slot() -> None:
    room = Room(10)
    leaves = room.fill(8)
    gone = room.wait()
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    for leave in leaves:
        leave()
    assert room.slots.running == 0
    await room.ended()


async def test_the_old_do_not_count_to_the_pace() -> None:
    """A thousand streams of a slow model, and a loop that is late: the next request is let in all the same."""
    room = Room(4_000)
    streams = room.fill(800)
    await room.clock.run(COHORT_SECONDS * (COHORTS + 2))
    assert (room.slots.running, room.slots.young) == (800, 0)
    busy = room.fill(CALM + 1)
    for _ in range(4):
        await room.clock.run(0)
        room.clock.advance(0.2)  # each beat comes late
    await room.clock.run(0)
    assert room.slots.pace.limit < 100
    assert room.slots.young < room.slots.pace.others
    last = room.fill(1)
    for leave in (*streams, *busy, *last):
        leave()
    await room.ended()
    assert (room.slots.running, room.slots.young) == (0, 0)


async def test_a_slow_target_does_not_close_the_gateway() -> None:
    """All wait for their target and the loop is in time: within a second there is room for all that may run."""
    room = Room(4_000)
    leaves, waiting = room.fill(START - START // 5), [room.wait() for _ in range(2_000)]
    await room.clock.run(WAIT_SECONDS * 0.9)
    assert room.slots.refused == 0
    assert room.slots.waiting == 0
    for leave in (*leaves, *[await task for task in waiting]):
        leave()
    await room.ended()


async def test_nothing_beats_while_it_is_calm() -> None:
    room = Room(4_000)
    leaves = room.fill(CALM)
    assert room.background.running == 0
    leaves += room.fill(1)
    assert room.background.running == 1
    for leave in leaves:
        leave()
    await room.clock.run(BEAT_SECONDS * 2)
    assert room.background.running == 0
    await room.background.join()


async def test_a_lower_bound_holds_for_who_comes_next() -> None:
    room = Room(10)
    leaves = room.fill(8)
    room.slots.bound(5)
    for leave in leaves[:4]:
        leave()
    assert room.slots.begin(ANY) is None
    leaves[4]()
    room.fill(1)


Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["any", "first", "leave", "cancel", "time", "late"]), st.integers(0, 99)),
    max_size=80,
)  # fmt: skip


@given(most=st.integers(1, 12), steps=STEPS)
def test_slots_are_neither_lost_nor_lent_twice(most: int, steps: list[Step]) -> None:
    asyncio.run(_any_order(most, steps))


async def _any_order(most: int, steps: list[Step]) -> None:
    room = Room(most)
    running: list[Leave] = []
    waiting: list[asyncio.Task[Leave]] = []
    acts: dict[str, Callable[[int], None]] = {
        "any": lambda _: _come(room, ANY, running, waiting),
        "first": lambda _: _come(room, FIRST, running, waiting),
        "leave": lambda at: running.pop(at % len(running))() if running else None,
        "cancel": lambda at: _cancel(waiting, at),
        "late": lambda at: room.clock.advance(at / 50),
        "time": lambda _: None,
    }
    for name, at in steps:
        acts[name](at)
        await room.clock.run(at / 100 if name == "time" else 0)
        ended = [task for task in waiting if task.done()]
        waiting = [task for task in waiting if not task.done()]
        running += [
            task.result() for task in ended if not task.cancelled() and not task.exception()
        ]
        assert room.slots.running == len(running) <= most
        assert 0 <= room.slots.young <= room.slots.running
    for leave in running:
        leave()
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await room.ended()
    assert (room.slots.running, room.slots.young, room.slots.waiting) == (0, 0, 0)


def _cancel(waiting: list[asyncio.Task[Leave]], at: int) -> None:
    if waiting:
        waiting[at % len(waiting)].cancel()


def _come(
    room: Room, first: bool, running: list[Leave], waiting: list[asyncio.Task[Leave]]
) -> None:
    leave = room.slots.begin(first)
    if leave is not None:
        running.append(leave)
    else:
        waiting.append(asyncio.ensure_future(room.slots.wait(first)))
