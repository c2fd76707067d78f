"""Which budgets hold for whom; and that their counters are exact whatever becomes of the holds."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from penstock.auth.caller import Caller
from penstock.config import Budget, Config, Provider, Target
from penstock.config.standing import TIERS
from penstock.errors import Conflict
from penstock.ledger import book
from penstock.ledger import budgets as counters
from penstock.ledger.book import Account, Charged
from penstock.ledger.budgets import Held
from penstock.limits.budgets import Budgets, hold, money, refusal
from penstock.limits.hold import Hold
from penstock.platforms import memory
from penstock.platforms.memory import MemoryPlatform
from penstock.prices import Price
from penstock.routing.offers import make
from penstock.wire.chat import Usage

NOW = 1_800_000_000_000  # 2027-01-15T08:00:00Z
HOUR = 3_600_000
ALICE = Caller(sub="alice")
OFFER = make(
    Target(provider="p", model="m"),
    Provider(kind="openai", base_url="http://x.test"),
    Price(input=1_000_000, output=1_000_000),
)
"""A nano-dollar a token."""


def held(*budgets: Budget, caller: Caller = ALICE, route: str = "auto") -> dict[str, int]:
    """The caps of what such a caller reserves, by the budget's name."""
    found = hold(Budgets(Config(budgets=budgets, tiers=TIERS)).of(caller, route), NOW, 7, 70)
    return {one.budget: one.cap for one in found}


def test_without_budgets_nothing_holds() -> None:
    assert held() == {}


def test_money_and_tokens_are_two_budgets() -> None:
    rule = Budget(per="user", period="day", money="0.000000009", tokens=80)
    [first, second] = hold(Budgets(Config(budgets=(rule,))).of(ALICE, "auto"), NOW, 7, 70)
    day = NOW // 86_400_000 * 86_400_000
    assert first == Held("user:day:nanos:default/alice", day, day + 86_400_000, "nanos", 9, 7)
    assert second == Held("user:day:tokens:default/alice", day, day + 86_400_000, "tokens", 80, 70)


def test_each_kind_adds_up_its_own() -> None:
    rules = [Budget(per=per, period="hour", tokens=9) for per in ("user", "key", "tenant", "route")]
    key = Caller(sub="bot", tenant="acme", key_id="key_1")
    assert held(*rules, caller=key, route="embed").keys() == {
        "user:hour:tokens:acme/bot",
        "key:hour:tokens:key_1",
        "tenant:hour:tokens:acme",
        "route:hour:tokens:embed",
    }
    assert "key" not in {name.split(":")[0] for name in held(*rules)}


def test_the_most_particular_holds_alone_and_adds_to_the_same_count() -> None:
    each = Budget(per="user", period="day", tokens=10)
    pro = Budget(per="user", period="day", tokens=20, tier="pro")
    hers = Budget(per="user", period="day", tokens=5, name="alice")
    name = "user:day:tokens:default/alice"
    for order in ((each, pro, hers), (hers, pro, each)):
        assert held(*order) == {name: 5}
        assert held(*order, caller=replace(ALICE, tier="pro")) == {name: 5}
    assert held(each, pro, caller=replace(ALICE, tier="pro")) == {name: 20}
    assert held(each, pro, caller=replace(ALICE, tier="unheard-of")) == {name: 10}
    assert held(Budget(per="user", period="day", tokens=5, name="acme/alice")) == {}


def test_only_money_is_money() -> None:
    def in_money(rule: Budget) -> bool:
        return money(Budgets(Config(budgets=(rule,))).of(ALICE, "auto"))

    assert in_money(Budget(per="user", period="day", money="1"))
    assert not in_money(Budget(per="user", period="day", tokens=1))


def one(per: str, cap: int = 100, amount: int = 30, unit: counters.Unit = "nanos") -> Held:
    return Held(f"{per}:hour:{unit}:acme", NOW, NOW + HOUR, unit, cap, amount)


def test_a_caller_is_told_its_own_spending_and_when_it_begins_again() -> None:
    told = refusal([(one("user"), 20, 60)], NOW + HOUR - 1_500)
    assert told.headers == (("retry-after", "2"),)
    assert told.extra["body"] == {
        "retryAfter": 2,
        "budget": {
            "per": "user",
            "period": "hour",
            "cap": "$0.0000001",
            "resets": "2027-01-15T09:00:00.000Z",
            "spent": "$0.00000006",
            "reserved": "$0.00000002",
        },
    }
    assert "$0.00000006 spent" in told.message


@pytest.mark.parametrize("per", ["tenant", "route"])
def test_what_others_spent_is_not_told(per: str) -> None:
    told = refusal([(one(per), 23, 64)], NOW)
    assert not {"spent", "reserved"} & told.extra["body"]["budget"].keys()
    assert "64" not in told.message
    assert "acme" not in told.message


def test_the_full_one_speaks_and_of_several_the_one_that_begins_again_last() -> None:
    later = Held("key:day:tokens:k", NOW, NOW + 2 * HOUR, "tokens", 100, 30)
    assert (
        refusal([(one("user"), 0, 99), (later, 0, 0)], NOW).extra["body"]["budget"]["per"] == "user"
    )
    assert (
        refusal([(one("user"), 0, 99), (later, 0, 99)], NOW).extra["body"]["budget"]["per"] == "key"
    )


def test_what_can_never_fit_is_told_so() -> None:
    told = refusal([(one("user", amount=101, unit="tokens"), 0, 0)], NOW)
    assert "101 tokens, more than all of the budget of 100 tokens an hour" in told.message
    assert told.headers == (("retry-after", "3600"),)


CAPS = (100, 60)


def new(platform: MemoryPlatform, number: int, bound: int) -> Hold:
    account = Account(f"req_{number:04}", "default/u", "default", "u", "", "auto", "chat")
    parts = (
        Held("user:day:nanos:u", 0, 10**15, "nanos", CAPS[0], bound),
        Held("tenant:day:tokens:t", 0, 10**15, "tokens", CAPS[1], bound),
    )
    return Hold(platform.tables, platform.meter, platform.clock, account, bound, None, parts)


async def counts(platform: MemoryPlatform) -> dict[str, tuple[int, int]]:
    rows = await platform.tables.rows("select budget, reserved, spent from budgets")
    return {budget: (reserved, spent) for budget, reserved, spent in rows}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("open"), st.integers(1, 40), st.just(0)),
        st.tuples(
            st.sampled_from(("settle", "release", "estimate", "again")),
            st.integers(0, 30),
            st.integers(0, 40),
        ),
    ),
    max_size=40,
)


@given(STEPS)
def test_reserved_and_spent_are_exact_and_never_above_the_cap(
    steps: list[tuple[str, int, int]],
) -> None:
    asyncio.run(_walk(steps))


async def _walk(steps: list[tuple[str, int, int]]) -> None:
    platform = memory.platform()
    opened: dict[int, tuple[Hold, int]] = {}
    ended: list[tuple[Hold, int]] = []
    estimated: dict[Hold, int] = {}
    spent = 0
    for number, (what, which, used) in enumerate(steps):
        reserved = sum(bound for _, bound in opened.values())
        if what == "open":
            fresh = new(platform, number, which)
            if reserved + spent + which <= min(CAPS):
                await fresh.open(OFFER, 60, Usage())  # no false denial
                opened[number] = (fresh, which)
            else:
                with pytest.raises(Conflict, match=counters.CAP):
                    await fresh.open(OFFER, 60, Usage())
        elif what == "again" and ended:
            # As a task that was cut off after its write would end it: only an estimate gives way to what is known.
            again, bound = ended[which % len(ended)]
            again.done = False
            known = min(used, bound)
            await again.settle(Usage(input=known))
            spent += known - estimated.pop(again, known)
        elif opened and what != "again":
            place = sorted(opened)[which % len(opened)]
            it, bound = opened.pop(place)
            amount = await _end(it, what, min(used, bound), bound)
            spent += amount
            ended.append((it, bound))
            if what == "estimate":
                estimated[it] = amount
        await _check(platform, sum(bound for _, bound in opened.values()), spent)


async def _end(it: Hold, what: str, used: int, bound: int) -> int:
    if what == "release":
        await it.close()
        return 0
    await it.dispatch(1, OFFER, Usage(input=bound, estimated=True))
    if what == "settle":
        return await it.settle(Usage(input=used))
    return await it.close()


async def _check(platform: MemoryPlatform, reserved: int, spent: int) -> None:
    found = await counts(platform)
    assert all(both == (reserved, spent) for both in found.values())
    assert reserved + spent <= min(CAPS)
    [(held,)] = await platform.tables.rows(
        "select coalesce(sum(amount), 0) from budget_holds where unit = 'nanos'"
    )
    assert held == reserved


async def test_a_lowered_cap_takes_no_more_and_lets_what_runs_end() -> None:
    platform = memory.platform()
    first = new(platform, 1, 50)
    await first.open(OFFER, 60, Usage())
    await first.dispatch(1, OFFER, Usage(input=50))
    lower = new(platform, 2, 1)
    lower.held = [replace(part, cap=20) for part in lower.held]
    with pytest.raises(Conflict):
        await lower.open(OFFER, 60, Usage())
    await first.settle(Usage(input=45))
    assert set((await counts(platform)).values()) == {(0, 45)}
    with pytest.raises(Conflict):
        await lower.open(OFFER, 60, Usage())


async def test_what_was_charged_beyond_the_cap_is_counted_and_nothing_more_is_let_through() -> None:
    platform = memory.platform()
    first, second = new(platform, 1, 60), new(platform, 2, 1)
    await first.open(OFFER, 60, Usage())
    await first.dispatch(1, OFFER, Usage(input=60))
    await first.settle(Usage(input=75))  # the provider did not keep to the cap it was sent
    assert set((await counts(platform)).values()) == {(0, 75)}
    with pytest.raises(Conflict):
        await second.open(OFFER, 60, Usage())
    assert set((await counts(platform)).values()) == {(0, 75)}


async def test_a_correction_moves_what_an_estimate_spent() -> None:
    platform = memory.platform()
    it = new(platform, 1, 60)
    await it.open(OFFER, 60, Usage())
    await it.dispatch(1, OFFER, Usage(input=60, estimated=True))
    await it.close()
    await platform.tables.batch(*counters.correct("req_0001", -20, -20))
    assert set((await counts(platform)).values()) == {(0, 40)}


async def test_another_may_end_a_hold_in_its_place() -> None:
    platform = memory.platform()
    it = new(platform, 1, 60)
    await it.open(OFFER, 60, Usage())
    keys = await counters.held(platform.tables, "req_0001")
    assert keys == [("tenant:day:tokens:t", 0), ("user:day:nanos:u", 0)]
    settled = counters.settle("req_0001", keys, keep=False)
    final = book.final(it.account, 0, "settled", NOW, Charged(), Usage(input=20), 20)
    await platform.tables.batch(final, *settled)
    assert set((await counts(platform)).values()) == {(0, 20)}
    # A second final row is refused, under another attempt too, and moves nothing.
    second = book.final(it.account, 1, "settled", NOW, Charged(), Usage(input=30), 30)
    with pytest.raises(Conflict, match="ledger_final"):
        await platform.tables.batch(second, *settled)
    assert set((await counts(platform)).values()) == {(0, 20)}
