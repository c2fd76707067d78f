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
from penstock.routing.affinity import Mark, Trail
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


def mark(name: str = "a/m", tokens: int = 10_000, warm: int = 9_984, **more: Any) -> Mark:
    known: dict[str, Any] = {"deployment": "", "output": 10, "bound": ask().input_bound, "images": 0}  # fmt: skip
    return Mark(name, tokens=tokens, warm=warm, **(known | more))


def said(role: str, text: Any) -> dict[str, Any]:
    return {"role": role, "content": text}


amounts = st.integers(0, 10**11)
price_of = st.builds(Price, input=amounts, cached_input=amounts, cache_write=amounts, output=amounts)  # fmt: skip
marks = st.builds(
    Mark,
    st.sampled_from(["a/m", "b/m", "c/m", "d/m"]),
    st.sampled_from(["", "east"]),
    tokens=st.integers(1_024, 300_000),
    warm=st.integers(1_024, 300_000),
    output=st.integers(0, 100_000),
    bound=st.integers(0, 10**7),
    images=st.integers(0, 1),
)


@given(
    st.lists(st.tuples(price_of, st.sampled_from(["openai", "anthropic"])), min_size=1, max_size=3),
    marks,
    st.integers(0, 3),
    st.booleans(),
    st.sampled_from([None, 1, 40_000]),
)
def test_what_goes_first_costs_no_more_than_what_the_policy_chose(
    prices: list[Any], left: Mark, spared: int, drawn: bool, most: int | None
) -> None:
    names = "abc"[: len(prices)]
    offers = tuple(offer(name, *one) for name, one in zip(names, prices, strict=True))
    choice = Choice(offers, "why", instead=offers[1 : 1 + spared], drawn=drawn)
    one = ask(max_tokens=most) if most else ask()
    warm = affinity.found(choice, left, one)
    if warm is None:
        return
    assert warm in (offers[0], *choice.instead)
    assert warm.price.cached_input < warm.price.input
    then, told = affinity.weighed(choice, warm, left, one)
    assert sorted(one.name for one in then.offers) == [*[f"{name}/m" for name in names]]
    assert (then.reason, then.features) == (choice.reason, choice.features)
    if then.offers[0].name != offers[0].name:
        spent = affinity.cost(warm, left, one, warm=True)
        other = warm if drawn else offers[0]
        assert told["saves_nanos"] == affinity.cost(other, left, one, warm=False) - spent >= 0
        assert told["instead_of"] == "a/m"
        assert [one.name for one in then.offers[1:]] == [
            one.name for one in offers if one is not warm
        ]
    if drawn and warm is not offers[0]:
        assert then.offers[0].name == warm.name  # staying always saves against the same one cold


def test_an_expected_cost_is_the_tables_to_the_nano() -> None:
    # 20,000 tokens, since the ask has twice the bytes of the turn before; answered in 500.
    then = mark(bound=ask().input_bound // 2)
    assert ask().input_bound % 2 == 0
    cold, warm = (affinity.cost(offer("a", DEAR), then, ask(), warm=one) for one in (False, True))
    assert cold == -(-(20_000 * 2_000 + 500 * 2_000) // 1_000_000)
    assert warm == -(-(9_984 * 100 + 10_016 * 2_000 + 500 * 2_000) // 1_000_000)
    capped = ask(max_tokens=7, n=2)
    same = mark(bound=capped.input_bound)
    assert affinity.cost(offer("a", DEAR), same, capped, warm=False) == -(-10_014 * 2_000 // 1_000_000)  # fmt: skip
    longer = affinity.cost(offer("a", DEAR), mark(output=900), ask(), warm=False)
    assert longer == -(-(10_000 * 2_000 + 900 * 2_000) // 1_000_000)
    writes = Price(2_000, 100, 2_500, 0)
    assert affinity.cost(offer("a", writes), then, ask(), warm=False) == 50
    assert affinity.cost(offer("a", writes, "anthropic"), then, ask(), warm=False) == 40


def test_one_that_may_cost_nothing_keeps_its_place() -> None:
    warm = offer("a", Price(2_000_000, 1, 1, 1))
    for first in (
        offer("b", Price(10**9), "workers_ai", free_neurons_per_day=10_000),
        offer("b", None),
    ):
        choice = Choice((first, warm), "why", instead=(warm,))
        assert affinity.weighed(choice, warm, mark(), ask()) == (choice, {})


def test_one_more_image_and_a_tenants_own_key_are_not_weighed() -> None:
    warm = offer("a", DEAR)
    choice = Choice((offer("b", PLAIN), warm), "why", instead=(warm,))
    assert affinity.found(choice, mark(), ask()) is warm
    assert affinity.found(choice, mark(images=1), ask()) is None
    assert affinity.found(choice, mark("z/m"), ask()) is None
    assert affinity.found(Choice(choice.offers, "why"), mark(), ask()) is None
    paid = Choice((warm.paid(), warm.paid()), "why", instead=(warm,))
    assert affinity.found(paid, mark(), ask()) is None


def test_what_an_answer_leaves_warm() -> None:
    unasked = affinity.left(offer("a", DEAR), "east", ask(), Usage(1_500, 3_500, output=7))
    assert unasked == mark(tokens=5_000, warm=4_992, deployment="east", output=7)
    claude = offer("a", DEAR, "anthropic")
    assert affinity.left(claude, "", ask(), Usage(9_000)) is None
    written = affinity.left(claude, "", ask(), Usage(1_000, 2_000, 6_000))
    assert written is not None
    assert (written.tokens, written.warm) == (9_000, 7_936)
    assert affinity.left(offer("a", PLAIN), "", ask(), Usage(9_000)) is None
    assert affinity.left(offer("a", DEAR), "", ask(), Usage(1_023)) is None
    assert affinity.left(offer("a", None), "", ask(), Usage(9_000)) is None


def test_who_asks_for_no_cache_reads_none() -> None:
    warm = offer("a", DEAR, "anthropic")
    choice = Choice((offer("b", PLAIN), warm), "why", instead=(warm,))
    assert affinity.found(choice, mark(), ask()) is None
    asked = [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]
    assert affinity.found(choice, mark(), ask([said("user", asked)])) is warm
    quoted = ask([said("user", 'say "cache_control"')])
    assert affinity.found(choice, mark(), quoted) is None


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
    assert Fixed().rank(ask(), all_three).instead == ()
    assert Cheapest().rank(ask(), all_three).instead == (middle, strong)
    drawn = Weighted(all_three, (1, 1, 1)).rank(ask(), all_three)
    assert drawn.drawn
    assert {*drawn.instead, drawn.offers[0]} == {*all_three}
