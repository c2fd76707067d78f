"""Flights: whoever reads, in whatever order, gets the whole answer; it lands once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.cache.flights import Flight, Flights
from penstock.errors import Broken, Unavailable
from penstock.wire.chat import Event


class Scripted:
    """A source that gives event by event, each when `gate` lets it."""

    def __init__(self, events: Sequence[Event], gate: asyncio.Semaphore | None = None) -> None:
        self.events = list(events)
        self.gate = gate
        self.closed = 0
        self.calls = 0

    async def next(self) -> Sequence[Event]:
        if self.gate is not None:
            await self.gate.acquire()
        self.calls += 1
        if not self.events:
            return ()
        return (self.events.pop(0),)

    async def aclose(self) -> None:
        self.closed += 1


def events(count: int) -> list[Event]:
    return [Event(data=b"%d" % i, end=i == count - 1) for i in range(count)]


class Landings:
    def __init__(self) -> None:
        self.flights: list[bool] = []

    async def __call__(self, flight: Flight) -> None:
        self.flights.append(flight.complete)


async def read_all(flight: Flight, position: int = 0) -> bytes:
    found = b""
    while got := await flight.after(position):
        position += len(got)
        found += b"".join(event.data for event in got)
        await asyncio.sleep(0)
    return found


def started(source: Scripted, *, kept: bool = True, most: int = 1_000) -> tuple[Flight, Landings]:
    flight, landings = Flight(whole=False, kept=kept, most=most), Landings()
    flight.start(source, landings)
    return flight, landings


async def test_one_reader_gets_everything_and_it_lands_complete() -> None:
    source = Scripted(events(5))
    flight, landings = started(source)
    assert await read_all(flight) == b"01234"
    assert landings.flights == [True]
    assert source.closed == 1
    flight.leave()
    await flight.close()
    assert landings.flights == [True]


@given(readers=st.integers(1, 6), count=st.integers(1, 8), kept=st.booleans())
def test_every_reader_gets_everything_in_order(readers: int, count: int, kept: bool) -> None:
    async def run() -> None:
        source = Scripted(events(count))
        flight, landings = started(source, kept=kept or readers > 1)
        for _ in range(readers - 1):
            flight.join()
        texts = await asyncio.gather(*[read_all(flight) for _ in range(readers)])
        assert set(texts) == {b"".join(b"%d" % i for i in range(count))}
        assert source.calls == count
        assert landings.flights == [True]

    asyncio.run(run())


class Slowly(Landings):
    """A landing that waits until the test lets it go on; says when it began."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go = asyncio.Event(), asyncio.Event()

    async def __call__(self, flight: Flight) -> None:
        self.begun.set()
        await self.go.wait()
        await super().__call__(flight)


async def to_the_end(flight: Flight) -> bytes:
    """Reads until it is told the end."""
    found: list[Event] = []
    while not (found and found[-1].end):
        found += await flight.after(len(found))
    return b"".join(event.data for event in found)


async def told(reader: asyncio.Task[bytes]) -> bool:
    """Whether a reader was told the end, once everything that can run has run."""
    for _ in range(20):
        await asyncio.sleep(0)
    return reader.done()


@pytest.mark.parametrize("leaves", [False, True])
async def test_nobody_is_told_the_end_before_it_landed_whoever_pulled_it(leaves: bool) -> None:
    flight, landing = Flight(whole=False, kept=True, most=1_000), Slowly()
    flight.start(Scripted(events(3)), landing)
    flight.join()
    first = asyncio.create_task(to_the_end(flight))
    await landing.begun.wait()
    if leaves:
        first.cancel()
        flight.leave()
    second = asyncio.create_task(to_the_end(flight))
    assert (await told(first), await told(second)) == (leaves, False)
    landing.go.set()
    assert await second == b"012"
    assert landing.flights == [True]


async def test_a_cancelled_puller_loses_nothing_for_the_others() -> None:
    gate = asyncio.Semaphore(0)
    source = Scripted(events(3), gate)
    flight, landings = started(source)
    flight.join()
    first = asyncio.create_task(read_all(flight))
    second = asyncio.create_task(read_all(flight))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    flight.leave()
    await flight.close()
    assert landings.flights == []
    for _ in range(3):
        gate.release()
    assert await second == b"012"
    assert landings.flights == [True]


async def test_the_last_to_leave_closes_the_source_and_lands_it_incomplete() -> None:
    source = Scripted(events(3))
    flight, landings = started(source)
    await flight.after(0)
    flight.leave()
    await flight.close()
    await flight.close()
    assert source.closed == 1
    assert landings.flights == [False]


async def test_it_lands_even_where_closing_the_source_fails() -> None:
    source = Scripted(events(3))
    flight, landings = started(source)

    async def broken() -> None:
        raise Broken

    source.aclose = broken  # type: ignore[method-assign]  # a source that cannot be closed
    flight.leave()
    with pytest.raises(Broken):
        await flight.close()
    assert landings.flights == [False]


async def test_a_landing_that_was_cut_off_is_done_again() -> None:
    source, calls = Scripted(events(1)), []

    async def landing(flight: Flight) -> None:
        calls.append(flight)
        if len(calls) == 1:
            raise Unavailable

    flight = Flight(whole=False, kept=True, most=100)
    flight.start(source, landing)
    # The books are out of reach: the answer goes out all the same.
    assert await read_all(flight) == b"0"
    flight.leave()
    await flight.close()
    assert len(calls) == 2


async def test_followers_learn_that_the_leader_came_to_nothing() -> None:
    flight = Flight(whole=False, kept=True)
    flight.join()
    waiting = asyncio.create_task(flight.departure())
    await asyncio.sleep(0)
    flight.fail(None)
    assert await waiting is False


async def test_a_long_stream_of_one_reader_is_not_held_in_memory() -> None:
    source = Scripted([Event(data=b"x" * 10, end=i == 99) for i in range(100)])
    flight, _ = started(source, most=50)
    position, held = 0, 0
    while got := await flight.after(position):
        position += len(got)
        held = max(held, sum(len(event.data) for event in flight.events))
    assert position == 100
    assert held <= 60
    assert not flight.kept


async def test_a_failing_source_ends_in_a_failure_event() -> None:
    source = Scripted([])

    async def broken() -> Sequence[Event]:
        raise Broken

    source.next = broken  # type: ignore[method-assign]  # a source that breaks
    flight, landings = started(source)
    (event,) = await flight.after(0)
    assert isinstance(event.failure, Broken)
    assert landings.flights == [False]


def test_a_flight_that_ended_is_not_joined() -> None:
    flights, one = Flights(), Flight(whole=True, kept=True)
    flights.lead("k", one)
    one.fail(None)
    assert flights.find("k") is None


def test_only_the_flight_that_leads_is_dropped() -> None:
    flights, one, other = Flights(), Flight(whole=True, kept=True), Flight(whole=True, kept=True)
    flights.lead("k", one)
    flights.drop("k", other)
    assert flights.find("k") is one
    flights.drop("k", one)
    assert flights.find("k") is None


def test_a_flight_that_forgot_its_beginning_is_not_joined() -> None:
    flights, one = Flights(), Flight(whole=False, kept=True)
    flights.lead("k", one)
    one.kept = False
    assert flights.find("k") is None
