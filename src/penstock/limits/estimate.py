"""What an answer that broke off can have cost at the most: an estimate is never below what the provider charged."""

from __future__ import annotations

from penstock.prices import Price, dearest
from penstock.wire.chat import Usage

UNBILLED = Usage(estimated=True)
"""What a provider that charges nothing for a cancelled stream took for one, by the operator's word."""


def at_most(price: Price, reported: Usage | None, most: Usage) -> Usage:
    """The usage that costs the most of all that fit what was reported so far and what was bounded before the call.

    Input that was reported stands (Anthropic reports it first); unreported input counts at its dearest, since it may
    have been written to the provider's cache. Output is reported as it grows, so that its bound stands.
    """
    if reported is None or not reported.total_input:
        output = most.output if reported is None else max(most.output, reported.output)
        return dearest(price, most.total_input, output)
    return Usage(
        reported.input,
        reported.cached_input,
        reported.cache_write,
        max(most.output, reported.output),
        reported.reasoning,
        estimated=True,
    )
