"""Finds models and their prices on a day; days are ISO dates, passed in."""

from __future__ import annotations

from datetime import date, timedelta

from penstock.prices.arithmetic import FREE, Price
from penstock.prices.table import CHECKED, MODELS, Model

__all__ = ["Model", "find", "known", "lookup", "stale"]

STALE_AFTER = timedelta(days=90)

_FREE_KINDS = frozenset({"local", "hashed", "sandbox"})
_BY_NAME: dict[tuple[str, str], Model] = {
    (model.kind, name): model for model in MODELS for name in (model.name, *model.aliases)
}


def find(kind: str, name: str) -> Model | None:
    """A model by its name or a dated alias."""
    return _BY_NAME.get((kind, name))


def lookup(kind: str, name: str, on: str) -> Price | None:
    """The newest price not after that day; None for an unknown model, or before its first entry.

    What runs here costs nothing. A sandbox target carries the price of the model it stands for,
    which is looked up under that model's own kind.
    """
    if kind in _FREE_KINDS:
        return FREE
    model = find(kind, name)
    entries = [price for price in model.prices if price.since <= on] if model else []
    return max(entries, key=lambda price: price.since) if entries else None


def known(kind: str, on: str = "") -> tuple[Model, ...]:
    """A provider's models, cheapest first within a verb; with a day, those alive then."""
    found = [model for model in MODELS if model.kind == kind]
    alive = [model for model in found if not (on and model.until and model.until <= on)]
    return tuple(sorted(alive, key=_cost))


def stale(on: str) -> bool:
    """Was the table checked too long ago to be trusted?"""
    return date.fromisoformat(on) - date.fromisoformat(CHECKED) > STALE_AFTER


def _cost(model: Model) -> int:
    # A chat usually reads some four times what it writes.
    return 4 * model.prices[-1].input + model.prices[-1].output
