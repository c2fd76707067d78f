"""A hold ends exactly once, with exact amounts, free units included."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.config import Kind, Provider, Target
from penstock.errors import Conflict, Unavailable
from penstock.ledger.book import Account
from penstock.ledger.budgets import Held
from penstock.limits.hold import Hold
from penstock.platforms import memory
from penstock.platforms.memory import MemoryPlatform
from penstock.ports import Demand, Lease, Row, Statement, Tables
from penstock.prices import NEURON_NANOS, Price, amount_nanos
from penstock.routing.offers import Offer, make
from penstock.wire.chat import Usage

ACCOUNT = Account("req_1", "default/u", "default", "u", "", "auto", "chat")
PRICE = Price(input=150_000_000, output=600_000_000)
NEURONS = Price(
    input=4_119 * NEURON_NANOS, output=34_868 * NEURON_NANOS, neurons_in=4_119, neurons_out=34_868
)
USED = Usage(input=10, output=5)
MOST = Usage(input=100, output=50, estimated=True)


def offer(price: Price = PRICE, free: int = 0) -> Offer:
    kind: Kind = "workers_ai" if free else "openai"
    at = Provider(kind=kind, base_url="http://x.test", account="acc", free_neurons_per_day=free)
    return make(Target(provider="p", model="m"), at, price)


def new(platform: MemoryPlatform, account: Account = ACCOUNT, lease: Lease | None = None) -> Hold:
    return Hold(platform.tables, platform.meter, platform.clock, account, 1_000_000, lease)


async def rows(platform: MemoryPlatform) -> list[tuple[object, ...]]:
    found = await platform.tables.rows(
        "select attempt, stage, ended, amount_nanos from ledger order by at, attempt, stage"
    )
    return [tuple(row) for row in found]


async def test_reserve_dispatch_settle() -> None:
    platform = memory.platform()
    hold, one = new(platform), offer()
    await hold.open(one, 600, MOST)
    await hold.dispatch(1, one, MOST)
    assert await hold.settle(USED) == amount_nanos(PRICE, USED)
    assert await rows(platform) == [
        (0, "reserve", "", 1_000_000),
        (1, "dispatched", "", 0),
        (1, "final", "settled", amount_nanos(PRICE, USED)),
    ]


async def test_ending_again_changes_nothing() -> None:
    platform = memory.platform()
    hold, one = new(platform), offer()
    await hold.open(one, 600, MOST)
    await hold.dispatch(1, one, MOST)
    amount = await hold.settle(USED)
    assert await hold.settle(Usage(input=999)) == amount
    assert await hold.close() == amount
    assert len(await rows(platform)) == 3


async def test_what_was_cut_off_after_the_write_is_ended_again_without_a_second_row() -> None:
    platform = memory.platform()
    hold, one = new(platform), offer()
    await hold.open(one, 600, MOST)
    await hold.dispatch(1, one, MOST)
    await hold.settle(USED)
    # As if the task had been cancelled between the commit and its return.
    hold.done = False
    await hold.settle(USED)
    assert hold.done
    assert len(await rows(platform)) == 3


async def test_nothing_sent_is_released() -> None:
    platform = memory.platform()
    hold = new(platform)
    await hold.open(offer(), 600, MOST)
    assert await hold.close() == 0
    assert (0, "final", "released", 0) in await rows(platform)


async def test_what_is_known_unprocessed_is_released_and_what_is_not_is_estimated() -> None:
    platform = memory.platform()
    hold, one = new(platform), offer()
    await hold.open(one, 600, MOST)
    await hold.dispatch(1, one, MOST)
    hold.unprocessed()
    await hold.dispatch(2, one, MOST)
    assert await hold.close() == amount_nanos(PRICE, MOST)
    assert [row[:3] for row in await rows(platform)] == [
        (0, "reserve", ""),
        (1, "dispatched", ""),
        (2, "dispatched", ""),
        (2, "final", "estimated"),
    ]


DEAR = Price(input=300_000_000, output=1_200_000_000)
LESS = Usage(input=10, output=5, estimated=True)


@pytest.mark.parametrize(
    ("first", "second"),
    [((PRICE, MOST), (DEAR, MOST)), ((DEAR, MOST), (PRICE, MOST)), ((PRICE, MOST), (PRICE, LESS))],
)
@pytest.mark.parametrize("known", [True, False])
async def test_an_attempt_of_unknown_outcome_is_never_forgotten(
    first: tuple[Price, Usage], second: tuple[Price, Usage], known: bool
) -> None:
    platform = memory.platform()
    hold = new(platform)
    await hold.open(offer(first[0]), 600, first[1])
    await hold.dispatch(1, offer(first[0]), first[1])
    assert hold.sent
    await hold.dispatch(2, offer(second[0]), second[1])
    if known:
        hold.unprocessed()
    assert hold.sent
    amounts = [amount_nanos(first[0], first[1])] + [amount_nanos(second[0], second[1])] * (
        not known
    )
    assert await hold.close() == max(amounts)
    assert (await rows(platform))[-1] == (2, "final", "estimated", max(amounts))


async def test_tokens_are_given_back_down_to_what_was_used() -> None:
    platform = memory.platform()
    demand = Demand("tokens", "tokens", "tokens:u", 1_000, 60, 150)
    lease = await platform.meter.take([demand])
    assert isinstance(lease, Lease)
    hold, one = new(platform, lease=lease), offer()
    await hold.open(one, 600, MOST)
    await hold.dispatch(1, one, MOST)
    await hold.settle(USED)
    after = await platform.meter.take([Demand("tokens", "tokens", "tokens:u", 1_000, 60, 1)])
    assert isinstance(after, Lease)
    assert after.standings[0].remaining == 1_000 - USED.total - 1


async def test_a_request_is_reserved_once() -> None:
    platform = memory.platform()
    await new(platform).open(offer(), 600, MOST)
    with pytest.raises(Conflict):
        # The same request cannot be reserved twice.
        await new(platform).open(offer(), 600, MOST)
    assert len(await rows(platform)) == 2


def account(number: int) -> Account:
    return Account(f"req_{number}", "default/u", "default", "u", "", "auto", "chat")


@given(
    st.lists(st.tuples(st.integers(0, 3_000_000), st.integers(0, 300_000)), min_size=1, max_size=12)
)
async def test_free_neurons_go_in_order_and_only_what_is_left_over_is_charged(
    asks: list[tuple[int, int]],
) -> None:
    platform = memory.platform()
    one = offer(NEURONS, free=10_000)
    left = Fraction(10_000)
    for number, (tokens_in, tokens_out) in enumerate(asks):
        hold = new(platform, account(number))
        await hold.open(one, 600, MOST)
        await hold.dispatch(1, one, MOST)
        charged = await hold.settle(Usage(input=tokens_in, output=tokens_out))
        neurons = Fraction(tokens_in * 4_119 + tokens_out * 34_868, 10**6)
        free = min(left, neurons)
        left -= free
        assert charged == ceil((neurons - free) * NEURON_NANOS)
    (used,) = (
        (await platform.tables.rows("select used from allotments"))[0] if left < 10_000 else (0,)
    )
    assert Fraction(used, 10**6) == 10_000 - left


async def test_free_neurons_begin_anew_on_each_utc_day() -> None:
    platform = memory.platform(now=1_800_057_599.0)  # 2027-01-15T23:59:59Z
    one, large = offer(NEURONS, free=10_000), Usage(input=2_427_773)

    async def ask(number: int) -> int:
        hold = new(platform, account(number))
        await hold.open(one, 600, MOST)
        await hold.dispatch(1, one, MOST)
        return await hold.settle(large)

    assert await ask(1) == 0
    assert await ask(2) > 0
    platform.clock.advance(2)
    assert await ask(3) == 0


def at_cloudflare(provider: str, cap: int) -> Offer:
    """An offer of a provider on one and the same account, whose configuration allows so many free neurons."""
    at = Provider(kind="workers_ai", account="acc", free_neurons_per_day=cap)
    return make(Target(provider=provider, model="m"), at, NEURONS)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3_000_000),
            st.integers(0, 300_000),
            st.integers(1, 12_000),
            st.sampled_from(["one", "two"]),
        ),
        min_size=1,
        max_size=12,
    )
)
async def test_an_account_has_its_free_neurons_once_whatever_the_cap_and_the_providers_name(
    asks: list[tuple[int, int, int, str]],
) -> None:
    platform = memory.platform()
    used = Fraction(0)
    for number, (tokens_in, tokens_out, cap, provider) in enumerate(asks):
        hold, one = new(platform, account(number)), at_cloudflare(provider, cap)
        await hold.open(one, 600, MOST)
        await hold.dispatch(1, one, MOST)
        charged = await hold.settle(Usage(input=tokens_in, output=tokens_out))
        neurons = Fraction(tokens_in * 4_119 + tokens_out * 34_868, 10**6)
        # A lowered cap takes nothing back: what is used stays used, and is never charged again.
        free = max(Fraction(0), min(cap - used, neurons))
        used += free
        assert charged == ceil((neurons - free) * NEURON_NANOS)
        assert charged <= amount_nanos(NEURONS, Usage(input=tokens_in, output=tokens_out))
    rows = await platform.tables.rows("select used from allotments")
    assert sum(Fraction(row[0], 10**6) for row in rows) == used
    assert len(rows) <= 1


async def test_a_lowered_cap_charges_the_list_price_and_not_more() -> None:
    platform = memory.platform()
    paid = []
    for number, cap in enumerate((10_000, 1_000, 10_000)):
        hold, one = new(platform, account(number)), at_cloudflare("p", cap)
        await hold.open(one, 600, MOST)
        await hold.dispatch(1, one, MOST)
        paid.append(await hold.settle(Usage(input=1_000_000)))
    assert paid == [0, 4_119 * NEURON_NANOS, 0]


@pytest.mark.parametrize("written", [True, False])
async def test_an_ending_whose_caller_leaves_is_written_and_its_place_is_free(
    written: bool,
) -> None:
    platform = memory.platform()
    asked = asyncio.Event()

    class Left:
        """Tables whose final batch is cut off, written or not, the first time that it is asked for."""

        rows = platform.tables.rows

        async def batch(self, *statements: Statement) -> Sequence[Sequence[Row]]:
            if hold.offer is None or asked.is_set():
                return await platform.tables.batch(*statements)
            if written:
                await platform.tables.batch(*statements)
            asked.set()
            await asyncio.Event().wait()
            return []

    place = [Demand("parallel", "parallel", "parallel:u", 1, 660)]
    lease = await platform.meter.take(place)
    assert isinstance(lease, Lease)
    hold = Hold(Left(), platform.meter, platform.clock, ACCOUNT, 1_000_000, lease)
    await hold.open(offer(), 600, MOST)
    await hold.dispatch(1, offer(), MOST)
    ending = asyncio.create_task(hold.close())
    await asked.wait()
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert (await rows(platform))[-1] == (1, "final", "estimated", amount_nanos(PRICE, MOST))
    assert isinstance(await platform.meter.take(place), Lease)


@pytest.mark.parametrize("again", ["settle", "close"])
async def test_an_ending_that_was_cut_off_tells_what_it_wrote(again: str) -> None:
    platform = memory.platform()
    written = asyncio.Event()

    class Cut:
        """Tables that write the first batch, and are cut off before they say so."""

        rows = platform.tables.rows

        async def batch(self, *statements: Statement) -> Sequence[Sequence[Row]]:
            found = await platform.tables.batch(*statements)
            if not written.is_set() and hold.offer is not None:
                written.set()
                await asyncio.Event().wait()
            return found

    hold = Hold(Cut(), platform.meter, platform.clock, ACCOUNT, 1_000_000, None)
    await hold.open(offer(), 600, MOST)
    await hold.dispatch(1, offer(), MOST)
    settling = asyncio.create_task(hold.settle(USED))
    await written.wait()
    settling.cancel()
    with suppress(asyncio.CancelledError):
        await settling
    told = await (hold.settle(USED) if again == "settle" else hold.close())
    assert told == hold.amount == amount_nanos(PRICE, USED)
    assert (await rows(platform))[-1] == (1, "final", "settled", told)


class Late:
    """Tables that a batch reaches later than the one that was asked for after it."""

    def __init__(self, tables: Tables) -> None:
        self.rows = tables.rows
        self.write = tables.batch
        self.first: tuple[Statement, ...] = ()

    async def batch(self, *statements: Statement) -> Sequence[Sequence[Row]]:
        if self.first:
            return await self.write(*statements)
        self.first = statements
        await asyncio.Event().wait()
        return []


@pytest.mark.parametrize("arrives", ["before", "after", "never"])
async def test_a_hold_whose_opening_was_cut_off_is_never_left_open(arrives: str) -> None:
    platform = memory.platform()
    late = Late(platform.tables)
    held = (Held("user:day:nanos:u", 0, 10**15, "nanos", 10**9, 1_000_000),)
    hold = Hold(late, platform.meter, platform.clock, ACCOUNT, 1_000_000, None, held)
    opening = asyncio.create_task(hold.open(offer(), 600, MOST))
    await platform.clock.run(0)
    opening.cancel()
    await asyncio.wait([opening])
    if arrives == "before":
        await platform.tables.batch(*late.first)
    await hold.abandon()
    if arrives == "after":
        with pytest.raises(Conflict, match="ledger_pkey"):
            await platform.tables.batch(*late.first)
    await hold.abandon()
    finals = [row for row in await rows(platform) if row[1] != "dispatched"]
    reserved = 1_000_000 if arrives == "before" else 0
    assert finals == [(0, "final", "released", 0), (0, "reserve", "", reserved)]
    assert await platform.tables.rows("select request_id from budget_holds") == []
    assert await platform.tables.rows("select reserved from budgets where reserved > 0") == []


async def test_nothing_is_sent_once_the_total_time_out_is_over() -> None:
    platform = memory.platform()
    hold = new(platform)
    await hold.open(offer(), 600, MOST)
    await hold.dispatch(1, offer(), MOST)
    hold.unprocessed()
    platform.clock.advance(599)
    await hold.dispatch(2, offer(), MOST)
    hold.unprocessed()
    platform.clock.advance(1)
    with pytest.raises(Unavailable):
        await hold.dispatch(3, offer(), MOST)
    assert not hold.sent
