"""Amounts in whole nano-dollars: multiplied exactly, divided once, rounded up once."""

from __future__ import annotations

from msgspec import Struct

from penstock.wire.chat import Usage

PER = 1_000_000
"""Prices are per this many tokens."""
NEURON_NANOS = 11_000
"""$0.011 a thousand."""
FREE_NEURONS_PER_DAY = 10_000
"""An account's, by UTC day."""


class Price(Struct, frozen=True):
    """Nano-dollars, and neurons where a provider counts those, per million tokens."""

    input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    output: int = 0
    neurons_in: int = 0
    neurons_out: int = 0
    since: str = ""


FREE = Price()


def amount_nanos(price: Price, usage: Usage) -> int:
    """What an answer costs."""
    return _up(
        usage.input * price.input
        + usage.cached_input * price.cached_input
        + usage.cache_write * price.cache_write
        + usage.output * price.output
    )


def worst_case(price: Price, input_bound: int, max_output: int, n: int = 1) -> int:
    """The most a call can cost: all input at its dearest, every choice at its cap."""
    dearest = max(price.input, price.cached_input, price.cache_write)
    return _up(input_bound * dearest + n * max_output * price.output)


def neurons_micro(price: Price, usage: Usage) -> int:
    """Millionths of a neuron that an answer took: exact, since prices are per million tokens."""
    return usage.total_input * price.neurons_in + usage.output * price.neurons_out


def _up(product: int) -> int:
    return -(-product // PER)
