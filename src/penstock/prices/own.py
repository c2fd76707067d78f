"""What a target costs: the operator's own prices before the price table."""

from __future__ import annotations

from penstock.config import Config, OwnPrice, Target
from penstock.config.spending import nanos
from penstock.prices.arithmetic import Price
from penstock.prices.lookup import lookup


def named(config: Config, target: Target) -> tuple[str, str]:
    """The kind and model under which the price table has a target."""
    own = f"{config.providers[target.provider].kind}/{target.model}"
    kind, _, model = (target.stands_for or own).partition("/")
    return kind, model


def price_of(config: Config, target: Target, on: str) -> Price | None:
    """A target's price on a day: the newest of `[[prices]]` that holds by then, else the price table's, else None."""
    own = [
        price
        for price in config.prices
        if price.provider == target.provider and price.model == target.model and price.since <= on
    ]
    if own:
        return _read(max(own, key=lambda price: price.since))
    return lookup(*named(config, target), on)


def _read(own: OwnPrice) -> Price:
    whole = nanos(own.input) or 0
    cached, written = (
        nanos(text) or 0 if text else whole for text in (own.cached_input, own.cache_write)
    )
    return Price(whole, cached, written, nanos(own.output) or 0, since=own.since)
