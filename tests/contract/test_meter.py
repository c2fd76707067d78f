"""What every Meter keeps to."""

from __future__ import annotations

import asyncio

import pytest
from msgspec import structs

from penstock.platforms.memory.world import FakeClock
from penstock.ports import Demand, Denial, Lease, Meter


def rate(key: str = "u", limit: int = 3, window: int = 60, policy: str = "chat") -> Demand:
    return Demand("rate", policy, key, limit, window)


def tokens(amount: int, limit: int = 1000, window: int = 60, key: str = "u") -> Demand:
    return Demand("tokens", "tokens", key, limit, window, amount)


def parallel(limit: int = 2) -> Demand:
    return Demand("parallel", "parallel", "u", limit)


def alive(key: str = "k") -> Demand:
    return Demand("alive", "revoked", key)


async def lease(meter: Meter, *demands: Demand) -> Lease:
    taken = await meter.take(demands)
    assert isinstance(taken, Lease)
    return taken


async def denial(meter: Meter, *demands: Demand) -> Denial:
    refused = await meter.take(demands)
    assert isinstance(refused, Denial)
    return refused


@pytest.mark.parametrize(("limit", "amount"), [(100, 1), (1_000, 1), (20_000, 25)])
async def test_of_many_at_once_exactly_the_limit_is_admitted(
    meter: Meter, limit: int, amount: int
) -> None:
    demand = structs.replace(rate(limit=limit), amount=amount)
    asked = [meter.take([demand]) for _ in range(limit // amount + 200)]
    answers = await asyncio.gather(*asked)
    assert sum(isinstance(answer, Lease) for answer in answers) == limit // amount


async def test_a_rate_is_a_sliding_window(meter: Meter, clock: FakeClock) -> None:
    for _ in range(3):
        await lease(meter, rate())
        clock.advance(10)
    assert (await denial(meter, rate())).retry_after == pytest.approx(30)
    clock.advance(30)
    await lease(meter, rate())
    assert (await denial(meter, rate())).retry_after == pytest.approx(10)


async def test_waiting_as_long_as_told_is_enough_and_no_less_is(
    meter: Meter, clock: FakeClock
) -> None:
    clock.advance(0.123457)
    for _ in range(3):
        await lease(meter, rate())
        clock.advance(0.1)
    wait = (await denial(meter, rate())).retry_after
    clock.advance(wait - 0.00001)
    await denial(meter, rate())
    clock.advance(0.00001)
    await lease(meter, rate())


async def test_standings_tell_what_remains(meter: Meter, clock: FakeClock) -> None:
    taken = await lease(meter, rate(), alive(), tokens(100))
    requests, units = taken.standings
    assert (requests.policy, requests.limit, requests.remaining) == ("chat", 3, 2)
    assert requests.reset == pytest.approx(60)
    assert requests.window == 60
    assert (units.policy, units.remaining) == ("tokens", 900)
    clock.advance(20)
    again = await lease(meter, rate())
    assert again.standings[0].remaining == 1
    assert again.standings[0].reset == pytest.approx(60)


async def test_a_denial_takes_nothing_and_tells_how_all_stands(meter: Meter) -> None:
    for _ in range(3):
        await lease(meter, rate())
    refused = await denial(meter, tokens(400), rate(), parallel(), rate(policy="other"))
    assert refused.policies == ("chat",)
    assert refused.waits == pytest.approx((60,))
    stands = {standing.policy: standing.remaining for standing in refused.standings}
    assert stands == {"tokens": 1000, "chat": 0, "other": 3}
    await lease(meter, parallel(), parallel(), tokens(1000))


async def test_a_denial_names_each_policy_that_refuses(meter: Meter, clock: FakeClock) -> None:
    await meter.mark("k", clock.now() + 500)
    await lease(meter, rate(limit=1), parallel(1))
    refused = await denial(meter, rate(limit=1), tokens(1), parallel(1), alive())
    assert refused.policies == ("chat", "parallel", "revoked")
    assert refused.retry_after == max(refused.waits) == pytest.approx(500)
    assert refused.waits[0] == pytest.approx(60)
    assert refused.waits[1] > 0


async def test_two_demands_on_one_count_are_one_sum(meter: Meter) -> None:
    await denial(meter, rate(limit=1), rate(limit=1))
    assert (await lease(meter, rate(limit=1))).standings[0].remaining == 0


@pytest.mark.parametrize("limit", [1000, 100_000])
async def test_more_than_the_limit_is_never_admitted(meter: Meter, limit: int) -> None:
    refused = await denial(meter, tokens(limit + 1, limit))
    assert refused.retry_after == 60
    assert refused.standings[0].remaining == limit


@pytest.mark.parametrize("limit", [1000, 100_000])
async def test_an_amount_waits_until_it_fits(meter: Meter, clock: FakeClock, limit: int) -> None:
    await lease(meter, tokens(limit, limit))
    wait = (await denial(meter, tokens(limit // 2, limit))).retry_after
    assert 0 < wait <= 60
    clock.advance(wait - 0.00001)
    await denial(meter, tokens(limit // 2, limit))
    clock.advance(0.00001)
    await lease(meter, tokens(limit // 2, limit))


@pytest.mark.parametrize("limit", [1000, 100_000])
async def test_given_back_whole_it_never_was(meter: Meter, limit: int) -> None:
    for _ in range(3):
        taken = await lease(meter, rate(limit=1), tokens(limit, limit), parallel(1))
        await meter.give(taken)


@pytest.mark.parametrize("limit", [1000, 100_000])
async def test_given_back_with_what_was_used(meter: Meter, limit: int) -> None:
    taken = await lease(meter, rate(), tokens(900, limit), parallel(1))
    await meter.give(taken, used=250)
    left = await lease(meter, rate(), tokens(0, limit), parallel(1))
    assert [standing.remaining for standing in left.standings] == [1, limit - 250]


@pytest.mark.parametrize("limit", [1000, 100_000])
async def test_more_used_than_taken_leaves_nothing_and_no_less(
    meter: Meter, clock: FakeClock, limit: int
) -> None:
    taken = await lease(meter, tokens(10, limit))
    await meter.give(taken, used=limit + 500)
    refused = await denial(meter, tokens(1, limit))
    assert refused.standings[0].remaining == 0
    clock.advance(refused.retry_after)
    await lease(meter, tokens(1, limit))


async def test_a_lease_is_given_back_once(meter: Meter) -> None:
    one = await lease(meter, parallel(2))
    await lease(meter, parallel(2))
    await meter.give(one, used=5)
    await meter.give(one, used=5)
    await lease(meter, parallel(2))
    await denial(meter, parallel(2))


async def test_leases_differ(meter: Meter) -> None:
    taken = [await lease(meter, rate(limit=100)) for _ in range(50)]
    assert len({one.id for one in taken}) == 50


async def test_keys_policies_and_windows_count_apart(meter: Meter) -> None:
    await lease(meter, rate("a", limit=1), rate("b", limit=1))
    await lease(meter, rate("a", limit=1, policy="other"), rate("a", limit=1, window=30))
    await denial(meter, rate("b", limit=1))


async def test_a_higher_limit_keeps_the_count(meter: Meter) -> None:
    for _ in range(3):
        await lease(meter, rate(limit=3))
    assert (await lease(meter, rate(limit=10))).standings[0].remaining == 6
    assert (await denial(meter, rate(limit=3))).standings[0].remaining == 0


async def test_a_mark_denies_until_its_time(meter: Meter, clock: FakeClock) -> None:
    await lease(meter, alive("k"))
    await meter.mark("k", clock.now() + 100)
    assert (await denial(meter, alive("k"), rate())).policies == ("revoked",)
    await lease(meter, alive("other"))
    clock.advance(100)
    assert (await lease(meter, alive("k"), rate())).standings[0].remaining == 2


async def test_nothing_asked_is_granted(meter: Meter) -> None:
    assert (await lease(meter)).standings == ()
