"""Whose vectors documents are found by, as far as the configuration says."""

from __future__ import annotations

from msgspec import Struct

from penstock.config.values import Config, Target

MADE_UP = frozenset({"sandbox", "hashed"})
"""Kinds whose vectors say nothing that words do not."""
MOST_DIMENSIONS = 1_536


class Embedder(Struct, frozen=True):
    """The target that embeds documents; without one they are found by words alone, and `why` is the reason."""

    target: Target | None = None
    why: str = ""


def embedder(config: Config) -> Embedder:
    """What `rag.embedding` leads to."""
    target = embeds(config)
    if target is None:
        return Embedder(None, f"rag.embedding names nothing that embeds: {config.rag.embedding}")
    kind = config.providers[target.provider].kind
    if kind in MADE_UP:
        return Embedder(None, f"{target.name} makes its vectors without a model")
    # A local model tells its own.
    if not (0 < target.dimension <= MOST_DIMENSIONS or (kind == "local" and not target.dimension)):
        return Embedder(
            None, f"the dimension of {target.name} is not set, or over {MOST_DIMENSIONS}"
        )
    return Embedder(target)


def embeds(config: Config) -> Target | None:
    """The first target of the route that `rag.embedding` names, or the target."""
    name = config.rag.embedding
    if name not in config.routes and all(one.name != name for one in config.targets):
        name = config.aliases.get(name, name)
    route = config.routes.get(name)
    if route is not None:
        name = route.targets[0] if route.verb == "embed" and route.targets else ""
    return next((one for one in config.targets if (one.name, one.verb) == (name, "embed")), None)
