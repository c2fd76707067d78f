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
    if usage.told is not None:
        return usage.told
    product = usage.input * price.input + usage.output * price.output
    if usage.cached_input or usage.cache_write:
        product += usage.cached_input * price.cached_input + usage.cache_write * price.cache_write
    return -(-product // PER)


def dearest(price: Price, input_bound: int, max_output: int) -> Usage:
    """The usage of a call that is billed at the most: all of its input as the dearest kind of input.

    Some providers write to their cache unasked, so that it is no matter of the ask.
    """
    kinds = {
        "input": price.input,
        "cached_input": price.cached_input,
        "cache_write": price.cache_write,
    }
    kind = max(kinds, key=kinds.__getitem__)
    return Usage(**{kind: input_bound}, output=max_output, estimated=True)


def neurons_micro(price: Price, usage: Usage) -> int:
    """Millionths of a neuron that an answer took: exact, since prices are per million tokens."""
    return usage.total_input * price.neurons_in + usage.output * price.neurons_out


def _up(product: int) -> int:
    return -(-product // PER)
