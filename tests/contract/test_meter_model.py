"""Every Meter against a model so naive that it is plainly right."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.platforms.memory.world import FakeClock
from penstock.ports import Demand, Denial, Lease, Meter
from tests.contract import edges, homes, servers

WINDOW = 10
WINDOW_MS = 1_000 * WINDOW
LEASE = 3_600
"""A parallel call's place falls free after so long where processes share a meter: later than any scenario ends."""

Home = Callable[[Path, FakeClock], AbstractAsyncContextManager[Meter]]

demands = st.builds(
    lambda kind, key, policy, amount: Demand(
        kind, f"{kind}{policy}", key, 5 + policy, LEASE if kind == "parallel" else WINDOW, amount
    ),
    st.sampled_from(["rate", "tokens", "parallel"]),
    st.sampled_from("ab"),
    st.integers(0, 1),
    st.integers(0, 7),
)
takes = st.tuples(st.just("take"), st.lists(demands, max_size=4))
gives = st.tuples(st.just("give"), st.integers(0, 9), st.none() | st.integers(0, 12))
waits = st.tuples(st.just("wait"), st.integers(1, 12_000))
scenarios = st.lists(st.one_of(takes, takes, gives, waits), max_size=40)


class Model:
    """Everything admitted, each with its time and amount, summed anew for each question."""

    def __init__(self) -> None:
        self.now = 0
        self.entries: list[dict] = []

    def used(self, demand: Demand) -> int:
        return sum(
            entry["amount"]
            for entry in self.entries
            if (entry["policy"], entry["key"]) == (demand.policy, demand.key)
            and (demand.kind == "parallel" or entry["at"] > self.now - WINDOW_MS)
        )

    def take(self, number: object, asked: list[Demand]) -> tuple[str, ...]:
        refused, before = [], list(self.entries)
        for demand in asked:
            # Nothing at all is admitted even over the limit.
            if demand.amount and self.used(demand) + demand.amount > demand.limit:
                refused.append(demand.policy)
            else:
                what = {"kind": demand.kind, "policy": demand.policy, "key": demand.key}
                entry = {"at": self.now, "lease": number, "amount": demand.amount}
                self.entries.append({**entry, **what})
        if refused:
            self.entries = before
        return tuple(refused)

    def give(self, number: object, used: int | None) -> None:
        for entry in [entry for entry in self.entries if entry["lease"] == number]:
            if used is None or entry["kind"] == "parallel":
                self.entries.remove(entry)
            elif entry["kind"] == "tokens":
                entry["amount"] = used


def counts(asked: list[Demand]) -> dict[tuple[str, str], tuple[int, Demand]]:
    """The counts asked of, each with the place of the last standing that tells of it."""
    counted = [demand for demand in asked if demand.kind != "parallel"]
    return {(demand.policy, demand.key): (place, demand) for place, demand in enumerate(counted)}


@pytest.fixture(scope="module", params=[*homes.METERS, *servers.METERS, *edges.METERS])
def home(request) -> Home:
    if request.param in servers.METERS:
        server = request.getfixturevalue(servers.METERS[request.param])
        return lambda _, clock: servers.meter(server, clock)
    if request.param in edges.METERS:
        bindings = request.getfixturevalue(edges.METERS[request.param])
        return lambda _, clock: edges.meter(bindings, clock)
    return homes.METERS[request.param]


async def play(home: Home, scenario: list[tuple]) -> None:
    clock, model = FakeClock(), Model()
    leases: list[tuple[object, Lease]] = []
    with tempfile.TemporaryDirectory() as folder:
        async with home(Path(folder), clock) as meter:
            for step in scenario:
                if step[0] == "wait":
                    clock.advance(step[1] / 1000)
                    model.now += step[1]
                elif step[0] == "give" and leases:
                    number, lease = leases.pop(step[1] % len(leases))
                    await meter.give(lease, step[2])
                    model.give(number, step[2])
                elif step[0] == "take":
                    await compare(clock, meter, model, leases, step[1])


async def compare(clock, meter, model: Model, leases: list, asked: list[Demand]) -> None:
    number = object()
    refused = model.take(number, asked)
    answer = await meter.take(asked)
    for place, demand in counts(asked).values():
        standing = answer.standings[place]
        assert standing.policy == demand.policy
        assert standing.remaining == max(0, demand.limit - model.used(demand))
    if not refused:
        assert isinstance(answer, Lease)
        leases.append((number, answer))
        return
    assert isinstance(answer, Denial)
    assert answer.policies == refused
    assert answer.retry_after == max(answer.waits)
    assert all(wait > 0 for wait in answer.waits)


@given(scenario=scenarios)
def test_a_meter_decides_as_the_model_does(home: Home, scenario: list[tuple]) -> None:
    asyncio.run(play(home, scenario))


steps = st.lists(st.tuples(st.integers(0, 3_000_000), st.integers(0, 20_000)), max_size=30)


async def drip(home: Home, steps: list[tuple[int, int]], limit: int, window: int) -> None:
    """A GCRA whose burst is the limit is a bucket that leaks `limit` in a window."""
    clock, level = FakeClock(), Fraction(0)
    with tempfile.TemporaryDirectory() as folder:
        async with home(Path(folder), clock) as meter:
            for microseconds, amount in steps:
                clock.advance(microseconds / 1_000_000)
                level = max(Fraction(0), level - Fraction(microseconds * limit, window * 1_000_000))
                answer = await meter.take([Demand("tokens", "t", "k", limit, window, amount)])
                fits = amount == 0 or level + amount <= limit
                assert isinstance(answer, Lease) == fits
                level += amount if fits else 0
                assert answer.standings[0].remaining == (limit - level) // 1


@given(steps=steps, limit=st.integers(10_001, 30_000), window=st.integers(1, 3600))
def test_a_large_limit_is_an_exact_gcra(home: Home, steps, limit: int, window: int) -> None:
    asyncio.run(drip(home, steps, limit, window))
