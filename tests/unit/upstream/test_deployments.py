"""Which deployment takes the next attempt: never one that cools, is full or was tried."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from penstock.config import Deployment, Provider, Target
from penstock.config.reached import Reached
from penstock.errors import Cooling, Failed
from penstock.platforms.memory.meter import MemoryMeter
from penstock.platforms.memory.world import FakeClock
from penstock.prices import FREE
from penstock.routing.offers import Offer, make
from penstock.upstream.deployments import Deployed, Deployments, Fleet
from penstock.upstream.tour import Tour

AT = Provider(kind="openai", base_url="http://x.test/v1")
TARGET = Target(provider="x", model="m")


Step = tuple[int, int, str, int]


def deployed(name: str, **settings: Any) -> Deployed:
    one = Deployment(name=name, url=f"http://{name}.test", **settings)
    return Deployed("x/m", Reached(name, one, AT), 0.0)


def offer() -> Offer:
    return make(TARGET, AT, FREE)


class Fixed(Fleet):
    """A fleet of one target."""

    def __init__(self, only: Deployments) -> None:
        super().__init__()
        self._only = only

    def of(self, offer: Offer) -> Deployments:
        return self._only


def test_a_single_one_is_taken_unless_it_cools_or_was_tried() -> None:
    one = deployed("a")
    of = Deployments([one])
    assert of.pick(0.0) is one
    assert of.pick(0.0, [one]) is None
    one.cool(5.0, 0.0)
    assert of.pick(4.9) is None
    assert of.pick(5.0) is one


def test_the_emptiest_for_its_weight_is_taken() -> None:
    a, b = deployed("a", weight=2), deployed("b")
    of = Deployments([a, b])
    found: Counter[str] = Counter()
    for _ in range(300):
        one = of.pick(0.0)
        assert one is not None
        one.member.in_air += 1
        found[one.name] += 1
    assert found == {"a": 200, "b": 100}


def test_where_all_have_limits_the_least_used_is_taken() -> None:
    async def play() -> Counter[str]:
        clock = FakeClock(0.0)
        fleet = Fixed(
            Deployments(
                [
                    deployed("small", requests_per_minute=10),
                    deployed("large", requests_per_minute=90),
                ]
            )
        )
        meter, found = MemoryMeter(clock), Counter[str]()
        for _ in range(50):
            turn = await Tour([offer()], fleet, clock, meter, lambda _: 1).first()
            found[turn.one.name] += 1
            await turn.end()
        return found

    assert asyncio.run(play()) == {"small": 5, "large": 45}


def test_a_bad_one_is_taken_only_where_the_others_cool() -> None:
    a, b = deployed("a"), deployed("b")
    of = Deployments([a, b])
    for _ in range(5):
        of.pool.failed(a.member, 0.0)
    assert {of.pick(1.0) for _ in range(4)} == {b}
    b.cool(30.0, 1.0)
    assert of.pick(2.0) is a


@given(
    limits=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 300)), min_size=1, max_size=4),
    steps=st.lists(
        st.tuples(
            st.integers(0, 40),  # seconds that pass
            st.integers(1, 200),  # tokens at the most
            st.sampled_from(["well", "left", "busy", "broken", "stays"]),
            st.integers(0, 200),  # tokens in the end
        ),
        max_size=60,
    ),
)
def test_no_limit_is_ever_passed_and_none_is_asked_that_cools(
    limits: list[tuple[int, int]], steps: list[Step]
) -> None:
    asyncio.run(Played(limits).all(steps))


class Played:
    """Attempts one after the other, beside a plain list of what was asked of whom."""

    def __init__(self, limits: list[tuple[int, int]]) -> None:
        self.clock = FakeClock(1_000.0)
        self.meter = MemoryMeter(self.clock)
        self.each = [
            deployed(str(at), requests_per_minute=requests, tokens_per_minute=tokens)
            for at, (requests, tokens) in enumerate(limits)
        ]
        self.fleet = Fixed(Deployments(self.each))
        self.asked: dict[Deployed, list[tuple[float, int]]] = {one: [] for one in self.each}
        self.cooling: dict[Deployed, float] = {}

    async def all(self, steps: list[Step]) -> None:
        for seconds, most, outcome, took in steps:
            self.clock.advance(seconds)
            with suppress(Cooling):
                await self.step(most, outcome, min(took, most))
        assert all(one.member.in_air >= 0 for one in self.each)

    async def step(self, most: int, outcome: str, took: int) -> None:
        now = self.clock.tick()
        turn = await Tour([offer()], self.fleet, self.clock, self.meter, lambda _: most).first()
        one = turn.one
        assert self.cooling.get(one, 0.0) <= now
        used = {"well": took, "busy": 0}.get(outcome, most)
        self.asked[one].append((now, min(used, one.tokens) if one.tokens else used))
        minute = [tokens for at, tokens in self.asked[one] if at > now - 60]
        assert not one.requests or len(minute) <= one.requests
        assert not one.tokens or sum(minute) <= one.tokens
        if outcome == "well":
            await turn.end(used=used)
        elif outcome == "busy":
            await turn.end(Failed("busy", upstream_status=429, retry_after=20.0))
            self.cooling[one] = now + 20.0
        elif outcome != "stays":
            await turn.end({"left": RuntimeError(), "broken": Failed("broken")}[outcome])
