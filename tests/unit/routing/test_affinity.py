"""What a mark is worth: never more than it says, and never against the policy's word."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.config import Provider, Target
from penstock.prices import Price
from penstock.routing import affinity
from penstock.routing.affinity import Mark, Trail, Warm
from penstock.routing.offers import Offer, make
from penstock.routing.policies import Cheapest, Choice, Fixed, Heuristic, Weighted
from penstock.wire.chat import Ask, Usage, decode_chat

SECRET = bytes(32)
DEAR = Price(2_000, 100, 2_000, 2_000)
PLAIN = Price(1_000, 1_000, 1_000, 2_000)


def offer(name: str, price: Price | None, kind: Any = "openai", **at: Any) -> Offer:
    return make(Target(provider=name, model="m"), Provider(kind=kind, **at), price)


def ask(messages: Sequence[dict[str, Any]] = (), **more: Any) -> Ask:
    given = messages or [{"role": "user", "content": "x" * 10_001}]
    return decode_chat(json.dumps({"model": "m", "messages": list(given), **more}).encode())


def warm(
    name: str = "a/m", tokens: int = 9_984, deployment: str = "", until: float = 300.0
) -> Warm:
    return Warm(name, deployment, tokens, until)


def mark(*each: Warm, tokens: int = 10_000, **more: Any) -> Mark:
    known: dict[str, Any] = {"output": 10, "bound": ask().input_bound, "images": 0} | more
    return Mark(tokens, each=each or (warm(),), **known)


def weighed(
    choice: Choice, left: Mark, one: Ask | None = None, attempts: int = 3
) -> tuple[Choice, dict[str, Any]]:
    return affinity.weighed(choice, left, one or ask(), 0.0, lambda *_: True, attempts)


def said(role: str, text: Any) -> dict[str, Any]:
    return {"role": role, "content": text}


amounts = st.integers(0, 10**11)
price_of = st.builds(Price, input=amounts, cached_input=amounts, cache_write=amounts, output=amounts)  # fmt: skip
lefts = st.builds(
    Warm,
    st.sampled_from(["a/m", "b/m", "c/m", "d/m"]),
    st.sampled_from(["", "east"]),
    st.integers(1_024, 300_000),
    st.sampled_from([0.0, 300.0]),
)
marks = st.builds(
    Mark,
    tokens=st.integers(1_024, 300_000),
    output=st.integers(0, 100_000),
    bound=st.integers(0, 10**7),
    images=st.integers(0, 1),
    each=st.lists(lefts, min_size=1, max_size=4).map(tuple),
)


@given(
    st.lists(st.tuples(price_of, st.sampled_from(["openai", "anthropic"])), min_size=1, max_size=3),
    marks,
    st.integers(0, 2),
    st.booleans(),
    st.sampled_from([None, 1, 40_000]),
)
def test_what_goes_first_costs_no_more_than_what_the_policy_chose(
    prices: list[Any], left: Mark, spare: int, drawn: bool, most: int | None
) -> None:
    names = "abc"[: len(prices)]
    offers = tuple(offer(name, *one) for name, one in zip(names, prices, strict=True))
    instead = offers[1:] if drawn else offers[1 : 1 + spare]
    choice = Choice(offers, "why", {"seen": 1}, instead, drawn)
    one = ask(max_tokens=most) if most else ask()
    then, told = weighed(choice, left, one)
    assert sorted(one.name for one in then.offers) == [f"{name}/m" for name in names]
    assert (then.reason, then.features) == ("why", {"seen": 1})
    best, first = then.offers[0], offers[0]
    if best.name == first.name:
        assert "instead_of" not in told
        return
    assert best.name in {one.name for one in instead}
    assert best.price.cached_input < best.price.input
    kept = {one.target: one for one in reversed(left.each) if one.until > 0}
    spent = affinity.cost(best, kept[best.name], left, one)
    lukewarm = kept.get("a/m") if first.price.cached_input < first.price.input and first.at.kind == "openai" else None  # fmt: skip
    other = affinity.cost(best, None, left, one) if drawn else affinity.cost(first, lukewarm, left, one)  # fmt: skip
    assert told["saves_nanos"] == other - spent >= 0
    assert told["instead_of"] == "a/m"
    assert [one.name for one in then.offers[1:]] == [
        one.name for one in offers if one.name != best.name
    ]


def test_an_expected_cost_is_the_tables_to_the_nano() -> None:
    # 20,000 tokens, since the ask has twice the bytes of the turn before; answered in 500.
    twice = ask([said("user", "x" * 40_001)])
    assert twice.input_bound % 2 == 0
    then = mark(bound=twice.input_bound // 2)
    at = offer("a", DEAR)
    assert affinity.cost(at, None, then, twice) == -(-(20_000 * 2_000 + 500 * 2_000) // 1_000_000)
    assert affinity.cost(at, warm(), then, twice) == -(
        -(9_984 * 100 + 10_016 * 2_000 + 500 * 2_000) // 1_000_000
    )
    assert affinity.cost(at, warm(tokens=50_000), then, twice) == 3  # no more than all of it is
    lied = affinity.cost(at, None, mark(tokens=10**9, bound=1), ask())
    assert lied == 2_000_001  # what the provider said once, and no multiple of it
    capped = ask(max_tokens=7, n=2)
    same = mark(bound=capped.input_bound)
    assert affinity.cost(at, None, same, capped) == -(-10_014 * 2_000 // 1_000_000)
    longer = affinity.cost(at, None, mark(output=900), ask())
    assert longer == -(-(10_000 * 2_000 + 900 * 2_000) // 1_000_000)
    writes = Price(2_000, 100, 2_500, 0)
    assert affinity.cost(offer("a", writes), None, then, twice) == 50
    assert affinity.cost(offer("a", writes, "anthropic"), None, then, twice) == 40


def test_the_policys_own_is_warm_too_where_it_had_an_earlier_turn() -> None:
    own, other = offer("b", Price(1_000, 10, 1_000, 2_000)), offer("a", DEAR)
    choice = Choice((own, other), "why", instead=(other,))
    assert weighed(choice, mark(warm()))[0].offers[0] is other
    both = mark(warm(), warm("b/m", 9_000))
    assert weighed(choice, both) == (choice, {})
    over = mark(warm(), warm("b/m", 9_000, until=0.0))
    assert weighed(choice, over)[0].offers[0] is other


def test_one_that_may_cost_nothing_keeps_its_place() -> None:
    other = offer("a", Price(2_000_000, 1, 1, 1))
    for first in (
        offer("b", Price(10**9), "workers_ai", free_neurons_per_day=10_000),
        offer("b", None),
    ):
        choice = Choice((first, other), "why", instead=(other,))
        assert weighed(choice, mark()) == (choice, {})


def test_what_is_not_weighed() -> None:
    other = offer("a", DEAR)
    choice = Choice((offer("b", PLAIN), other), "why", instead=(other,))
    assert weighed(choice, mark())[0].offers[0] is other
    same = [
        weighed(choice, mark(images=1)),
        weighed(choice, mark(warm("z/m"))),
        weighed(choice, mark(warm(until=0.0))),
        affinity.weighed(choice, mark(), ask(), 0.0, lambda *_: False, 3),
    ]
    assert same == [(choice, {})] * 4
    assert weighed(choice, mark(), attempts=1)[0].offers == choice.offers
    nobody = Choice(choice.offers, "why")
    assert weighed(nobody, mark()) == (nobody, {})
    paid = Choice((other.paid(), other.paid()), "why", instead=(other,))
    assert weighed(paid, mark()) == (paid, {})


def test_a_deployment_that_is_warm_is_named() -> None:
    one, other = offer("a", DEAR), offer("b", PLAIN)
    choice = Choice((one, other), "why")
    each = (warm(deployment="east"), warm(deployment="west"))
    then, told = affinity.weighed(
        choice, mark(*each), ask(), 0.0, lambda _, name: name == "west", 3
    )
    assert [(one.name, one.deployment) for one in then.offers] == [("a/m", "west"), ("b/m", "")]
    assert told == {"target": "a/m", "tokens": 9_984, "deployment": "west"}


def test_a_target_that_stands_there_twice_still_does() -> None:
    # Else a third one, perhaps a dearer one, would be among those that may be tried.
    one, other = offer("a", DEAR), offer("b", PLAIN)
    choice = Choice((one, one, other), "why")
    then = weighed(choice, mark(warm(deployment="east")))[0].offers
    assert [(offer.name, offer.deployment) for offer in then] == [
        ("a/m", "east"), ("a/m", "east"), ("b/m", ""),
    ]  # fmt: skip
    assert then[0] is then[1]
    twice = Choice((other, one, one), "why", instead=(one,))
    assert weighed(twice, mark())[0].offers == (one, other, one)


def test_a_mark_of_a_later_day_than_marks_have_counts_for_nothing() -> None:
    other = offer("a", DEAR)
    choice = Choice((offer("b", PLAIN), other), "why", instead=(other,))
    for until in (601.0, float("inf"), float("nan")):
        assert weighed(choice, mark(warm(until=until))) == (choice, {})
        assert left(offer("d", PLAIN), Usage(3_000), before=mark(warm(until=until))) is None


def left(at: Offer, usage: Usage, deployment: str = "", before: Mark | None = None) -> Mark | None:
    return affinity.left(at, deployment, ask(), usage, before, 0.0)


def test_what_an_answer_leaves_warm() -> None:
    unasked = left(offer("a", DEAR), Usage(1_500, 3_500, output=7), "east")
    assert unasked == mark(warm(tokens=4_992, deployment="east"), tokens=5_000, output=7)
    claude = offer("a", DEAR, "anthropic")
    assert left(claude, Usage(9_000)) is None
    written = left(claude, Usage(1_000, 2_000, 6_000))
    assert written == mark(warm(tokens=7_936), tokens=9_000, output=0)
    assert left(offer("a", PLAIN), Usage(9_000)) is None
    assert left(offer("a", DEAR), Usage(1_023)) is None
    assert left(offer("a", None), Usage(9_000)) is None


def test_what_the_turns_before_left_elsewhere_is_told_on() -> None:
    before = mark(
        warm("b/m", 2_000, until=9.0), warm("a/m", 1_500, until=8.0), warm("c/m", until=0.0)
    )
    then = left(offer("a", DEAR), Usage(3_000), before=before)
    assert then is not None
    assert then.each == (warm("a/m", 2_944), warm("b/m", 2_000, until=9.0))
    passed = left(offer("d", PLAIN), Usage(3_000), before=before)
    assert passed is not None
    assert passed.each == before.each[:2]
    many = mark(*[warm(f"{name}/m") for name in "bcdefg"])
    then = left(offer("a", DEAR), Usage(3_000), before=many)
    assert then is not None
    assert [one.target for one in then.each] == ["a/m", "b/m", "c/m", "d/m"]


def test_who_asks_for_no_cache_reads_none() -> None:
    claude = offer("a", DEAR, "anthropic")
    choice = Choice((offer("b", PLAIN), claude), "why", instead=(claude,))
    assert weighed(choice, mark()) == (choice, {})
    asked = [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]
    assert weighed(choice, mark(), ask([said("user", asked)]))[0].offers[0] is claude
    quoted = ask([said("user", 'say "cache_control"')])
    assert weighed(choice, mark(), quoted) == (choice, {})


def test_lots_keep_the_last_target_if_all_could_be_warm() -> None:
    one, two, plain = offer("a", DEAR), offer("b", DEAR), offer("c", PLAIN)
    drawn = Choice((one, two), "by weight", instead=(two,), drawn=True)
    kept, told = weighed(drawn, mark(warm("b/m", 1_024), warm("a/m")))
    assert kept.offers == (two, one)
    assert told["instead_of"] == "a/m"
    assert weighed(drawn, mark(warm("b/m")), attempts=1)[0].offers == (two, one)
    assert weighed(drawn, mark(warm("a/m"), warm("b/m"))) == (drawn, {})
    uneven = Choice((plain, two), "by weight", instead=(two,), drawn=True)
    assert weighed(uneven, mark(warm("b/m"))) == (uneven, {})


FIRST = [said("system", "be brief"), said("user", "hello")]
SECOND = [*FIRST, said("assistant", "hi"), said("user", "and?")]


def here(messages: Sequence[dict[str, Any]], owner: str = "o", route: str = "r", **more: Any) -> str:  # fmt: skip
    return Trail(SECRET, owner, route, ask(messages, **more)).here()


def before(messages: Sequence[dict[str, Any]], owner: str = "o", route: str = "r", **more: Any) -> str:  # fmt: skip
    return Trail(SECRET, owner, route, ask(messages, **more)).before()


def test_a_turn_finds_the_mark_of_the_one_before() -> None:
    assert before(SECOND) == here(FIRST)
    assert before([*SECOND, said("assistant", "so"), said("user", "ok")]) == here(SECOND)
    assert before(SECOND, temperature=1, max_tokens=9) == here(FIRST, temperature=0)
    turned = [dict(reversed(one.items())) for one in FIRST]
    assert before([*turned, *SECOND[2:]]) == here(FIRST)
    trail = Trail(SECRET, "o", "r", ask(SECOND))
    assert (trail.before(), trail.here(), trail.here()) == (here(FIRST), here(SECOND), here(SECOND))


@pytest.mark.parametrize("messages", [FIRST, [said("assistant", "hi"), said("user", "you?")]])
def test_a_first_turn_looks_for_none(messages: list[dict[str, Any]]) -> None:
    assert before(messages) == ""


def test_nothing_else_has_that_name() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    others = [
        here([said("user", "hello")]),
        here([said("system", "be brie"), said("user", "fhello")]),
        here([said("system", "be brief\nhello")]),
        here(FIRST, owner="p"),
        here(FIRST, route="s"),
        here(FIRST, owner="or", route=""),
        here(FIRST, tools=tools),
        here(FIRST, tools=tools, tool_choice="none"),
        here(FIRST, response_format={"type": "json_object"}),
        here(SECOND),
        Trail(bytes(31) + b"1", "o", "r", ask(FIRST)).here(),
    ]
    assert len({here(FIRST), *others}) == len(others) + 1


def test_where_a_caller_ends_its_cache_may_move_on() -> None:
    def part(text: str, **more: Any) -> list[dict[str, Any]]:
        return [{"type": "text", "text": text, **more}]

    ends = {"cache_control": {"type": "ephemeral"}}
    first = [said("user", part("hello", **ends))]
    then = [said("user", part("hello")), said("assistant", "hi"), said("user", part("so", **ends))]
    assert before(then) == here(first)


def test_what_each_policy_gives_up() -> None:
    weak, middle, strong = (offer(name, DEAR) for name in "abc")
    all_three = (weak, middle, strong)
    found = Heuristic(*all_three)
    for text, spare in (("hi", (middle, strong)), ("w" * 800, (strong,)), ("explain", ())):
        assert found.rank(ask([said("user", text)]), all_three).instead == spare
    assert found.rank(ask([said("user", "hi")]), (strong, weak)).instead == (strong,)
    assert found.rank(ask([said("user", "explain")]), (middle, weak)).instead == ()
    assert found.rank(ask(), ()).instead == ()
    twice = Heuristic(weak, middle, weak)  # what is strong here is simple's target too
    assert twice.rank(ask([said("user", "explain")]), (weak, middle)).instead == ()
    assert twice.rank(ask([said("user", "w" * 800)]), (weak, middle)).instead == (weak,)
    assert Fixed().rank(ask(), all_three).instead == ()
    assert Cheapest().rank(ask(), all_three).instead == (middle, strong)
    drawn = Weighted(all_three, (1, 1, 1)).rank(ask(), all_three)
    assert drawn.drawn
    assert {*drawn.instead, drawn.offers[0]} == {*all_three}
