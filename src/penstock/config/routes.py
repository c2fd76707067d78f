"""What `auto` and `embed` are made of: picked from the targets there are, in the order the product states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from penstock.config.routed import Route, RouteCache, Verb
from penstock.config.standing import CHOICES, RETIRED, WEEK
from penstock.config.values import Config, Kind, Provider, Target

OLLAMA = "ollama"
FILLED = frozenset({"heuristic", "learned"})
"""Policies whose targets are filled in where `auto` leaves them empty."""


class Stock(Struct, frozen=True):
    """The targets of one verb, with the kind of each provider."""

    targets: Sequence[Target]
    kinds: Mapping[str, Kind]

    def of(self, kind: Kind, models: Sequence[str] = ()) -> str:
        """The target of the first of these models at a provider of that kind, else the kind's first; else empty."""
        found = [target for target in self.targets if self.kinds[target.provider] == kind]
        chosen = self.exactly(kind, models)
        return chosen or (found[0].name if found else "")

    def exactly(self, kind: Kind, models: Sequence[str]) -> str:
        """The target of the first of these models at a provider of that kind; else empty."""
        for model in models:
            for target in self.targets:
                if target.model == model and self.kinds[target.provider] == kind:
                    return target.name
        return ""

    def at(self, provider: str) -> str:
        """The first target of one provider, else empty."""
        return next((t.name for t in self.targets if t.provider == provider), "")

    def small(self, part: str) -> str:
        """The `part` of the first provider that is neither Workers AI nor a stand-in."""
        for target in self.targets:
            kind = self.kinds[target.provider]
            if kind in {"openai", "anthropic"}:
                return self.exactly(kind, getattr(CHOICES[kind], part)) or target.name
        return ""


def stock(config: Config, verb: Verb) -> Stock:
    """All targets of a verb."""
    kinds = {name: provider.kind for name, provider in config.providers.items()}
    targets = [t for t in config.targets if t.verb == verb and t.provider in kinds]
    return Stock(targets, kinds)


def auto(config: Config) -> Route | None:
    """The route `auto` with its empty parts filled; None where nothing can chat."""
    given = config.routes.get("auto", Route(policy="heuristic"))
    if given.policy not in FILLED:
        return given
    chat = stock(config, "chat")
    if not chat.targets:
        return given if "auto" in config.routes else None
    simple = given.simple or _small(chat, "simple")
    medium = given.medium or _small(chat, "medium")
    strong = given.strong or _strong(chat) or medium
    return replace(given, simple=simple, medium=medium, strong=strong)


def _small(chat: Stock, part: str) -> str:
    return _first(
        chat.of("workers_ai", getattr(CHOICES["workers_ai"], part)),
        chat.at(OLLAMA),
        chat.small(part),
        chat.of("sandbox", getattr(CHOICES["sandbox"], part)),
        chat.of("service"),
    )


def _strong(chat: Stock) -> str:
    real = _first(
        chat.of("service"),
        chat.exactly("openai", CHOICES["openai"].strong),
        chat.of("anthropic", CHOICES["anthropic"].strong),
    )
    if real or any(chat.kinds[target.provider] != "sandbox" for target in chat.targets):
        return real
    return chat.of("sandbox", CHOICES["sandbox"].strong)


def embed(config: Config) -> Route | None:
    """The route `embed`, its target filled where it names none; None where only `hashed` is left to be added."""
    given = config.routes.get("embed", Route(verb="embed", cache=RouteCache(ttl=WEEK)))
    if given.targets:
        return given
    vectors = stock(config, "embed")
    target = _first(
        vectors.of("workers_ai", CHOICES["workers_ai"].embed),
        vectors.of("local"),
        vectors.of("openai", CHOICES["openai"].embed),
        vectors.of("hashed"),
    )
    return replace(given, targets=(target,)) if target else None


def retired_aliases(route: Route) -> dict[str, str]:
    """The first design's model names, for the part of `auto` that took their place."""
    if route.policy not in FILLED:
        return dict.fromkeys(RETIRED, "auto")
    return {model: getattr(route, part) for model, part in RETIRED.items()}


def named_targets(config: Config) -> list[Target]:
    """Targets that routes and aliases name at a provider that takes any model, and that are not configured."""
    wanted = [(name, r.verb) for r in config.routes.values() for name in _ends(r)]
    wanted += [(end, "chat") for end in config.aliases.values() if end not in config.routes]
    have = {target.name for target in config.targets}
    found: dict[str, Target] = {}
    for name, verb in wanted:
        provider, _, model = name.partition("/")
        if name not in have | set(found) and model and _any(config.providers, provider):
            found[name] = Target(provider=provider, model=model, verb=verb)
    return list(found.values())


def _any(providers: Mapping[str, Provider], name: str) -> bool:
    return name in providers and providers[name].any_model


def _ends(route: Route) -> Iterable[str]:
    return filter(None, (*route.targets, route.simple, route.medium, route.strong))


def _first(*names: str) -> str:
    return next(filter(None, names), "")
