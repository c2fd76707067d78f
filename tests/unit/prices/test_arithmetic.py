from __future__ import annotations

import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.prices import FREE, Price, amount_nanos, dearest, neurons_micro, usd
from penstock.wire.chat import Usage

TOKENS = st.integers(0, 10**7)
RATE = st.integers(0, 10**11)
PRICES = st.builds(Price, RATE, RATE, RATE, RATE, st.integers(0, 10**6), st.integers(0, 10**6))
USAGES = st.builds(Usage, TOKENS, TOKENS, TOKENS, TOKENS)


def test_a_known_bill() -> None:
    price = Price(2_500_000_000, 1_250_000_000, 2_500_000_000, 10_000_000_000)
    assert amount_nanos(price, Usage(input=1_000, cached_input=200, output=500)) == 7_750_000
    assert amount_nanos(Price(input=1), Usage(input=1)) == 1
    assert amount_nanos(FREE, Usage(input=10**6, output=10**6)) == 0


@given(PRICES, USAGES)
def test_an_amount_is_the_exact_sum_rounded_up_once(price: Price, usage: Usage) -> None:
    exact = sum(
        Fraction(units * rate, 10**6)
        for units, rate in (
            (usage.input, price.input),
            (usage.cached_input, price.cached_input),
            (usage.cache_write, price.cache_write),
            (usage.output, price.output),
        )
    )
    assert 0 <= amount_nanos(price, usage) - exact < 1


@given(PRICES, USAGES, TOKENS, TOKENS)
def test_the_dearest_way_is_never_below_the_bill(
    price: Price, usage: Usage, more: int, longer: int
) -> None:
    most = dearest(price, usage.total_input + more, usage.output + longer)
    assert (most.total_input, most.output) == (usage.total_input + more, usage.output + longer)
    assert most.estimated
    assert amount_nanos(price, usage) <= amount_nanos(price, most)
    assert neurons_micro(price, usage) <= neurons_micro(price, most)


def test_where_all_input_costs_the_same_it_is_plain_input() -> None:
    assert dearest(Price(5, 2, 5, 9), 7, 1) == Usage(input=7, output=1, estimated=True)


@given(PRICES, USAGES)
def test_neurons_are_exact(price: Price, usage: Usage) -> None:
    exact = Fraction(usage.total_input * price.neurons_in + usage.output * price.neurons_out, 10**6)
    assert Fraction(neurons_micro(price, usage), 10**6) == exact


@pytest.mark.parametrize(
    ("nanos", "text"),
    [
        (0, "0"),
        (1, "0.000000001"),
        (12_345, "0.000012345"),
        (1_000_000_000, "1"),
        (1_500_000_000, "1.5"),
        (-7_750_000, "-0.00775"),
        (10**20, "100000000000"),
    ],
)
def test_dollars(nanos: int, text: str) -> None:
    assert usd(nanos) == text


@given(st.integers(-(10**18), 10**18))
def test_dollars_are_exact_json_numbers(nanos: int) -> None:
    text = usd(nanos)
    assert Fraction(text) == Fraction(nanos, 10**9)
    assert len(text.partition(".")[2]) <= 9
    assert isinstance(json.loads(text), (int, float))
