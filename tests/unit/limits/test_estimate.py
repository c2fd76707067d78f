"""An estimate is an upper bound: whatever the provider can have charged, given what it reported, is not above it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.limits.estimate import UNBILLED, at_most
from penstock.prices import Price, amount_nanos
from penstock.wire.chat import Usage

prices = st.builds(
    Price,
    input=st.integers(0, 10**11),
    cached_input=st.integers(0, 10**11),
    cache_write=st.integers(0, 10**11),
    output=st.integers(0, 10**11),
)
tokens = st.integers(0, 10**6)


@given(prices, tokens, tokens, tokens, tokens)
def test_nothing_reported(price: Price, plain: int, cached: int, written: int, output: int) -> None:
    charged = Usage(plain, cached, written, output)
    most = Usage(input=plain + cached + written, output=output)
    estimate = at_most(price, None, most)
    assert estimate.estimated
    assert amount_nanos(price, estimate) >= amount_nanos(price, charged)
    assert estimate.total == most.total


@given(prices, tokens, tokens, tokens, tokens, st.integers(0, 10**6))
def test_the_input_was_reported_and_some_of_the_output(
    price: Price, plain: int, cached: int, written: int, output: int, told: int
) -> None:
    charged = Usage(plain, cached, written, output)
    most = Usage(input=10**8, output=output)
    estimate = at_most(price, Usage(plain, cached, written, min(told, output)), most)
    assert amount_nanos(price, estimate) >= amount_nanos(price, charged)
    if plain + cached + written:
        assert amount_nanos(price, estimate) == amount_nanos(price, charged)


def test_output_beyond_the_bound_counts_as_reported() -> None:
    estimate = at_most(Price(output=10), Usage(input=1, output=9), Usage(input=5, output=4))
    assert (estimate.input, estimate.output) == (1, 9)


def test_an_unbilled_one_is_marked_and_costs_nothing() -> None:
    assert UNBILLED.estimated
    assert amount_nanos(Price(1, 1, 1, 1), UNBILLED) == 0
