"""What models cost: a dated table in integers, and the arithmetic of amounts."""

from __future__ import annotations

from penstock.prices.arithmetic import (
    FREE,
    FREE_NEURONS_PER_DAY,
    NEURON_NANOS,
    Price,
    amount_nanos,
    dearest,
    neurons_micro,
)
from penstock.prices.lookup import Model, find, known, lookup, stale
from penstock.prices.own import named, price_of
from penstock.prices.table import CHECKED, MOST_IMAGE_TOKENS
from penstock.wire.json import usd

__all__ = [
    "CHECKED",
    "FREE",
    "FREE_NEURONS_PER_DAY",
    "MOST_IMAGE_TOKENS",
    "NEURON_NANOS",
    "Model",
    "Price",
    "amount_nanos",
    "dearest",
    "find",
    "known",
    "lookup",
    "named",
    "neurons_micro",
    "price_of",
    "stale",
    "usd",
]
