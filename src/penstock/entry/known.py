"""The price table's models, in the form the configuration makes targets of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from penstock.config import KnownModel
from penstock.prices import Model, known

KINDS = ("openai", "anthropic", "workers_ai")


def known_models(on: str = "") -> Mapping[str, Sequence[KnownModel]]:
    """By kind, cheapest first; with a day (`2026-01-31`), without those that had ended by then."""
    return {kind: [_known(model) for model in known(kind, on)] for kind in KINDS}


def _known(model: Model) -> KnownModel:
    # The undated name, where a model has one, is the one people know.
    return KnownModel(
        model=min(model.name, *model.aliases, key=len) if model.aliases else model.name,
        verb=model.verb,
        context=model.context,
        max_output=model.max_output,
        dimension=model.dimension,
        tools=model.tools,
        images=model.images,
    )
