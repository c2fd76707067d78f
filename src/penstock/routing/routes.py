"""Names → offers: what a caller's `model` may say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from penstock.config import Config, Route, Target, Verb
from penstock.errors import ModelNotFound
from penstock.prices import MOST_IMAGE_TOKENS, Price, find, lookup
from penstock.routing.offers import CLOUDFLARE, Offer, make
from penstock.routing.policies import Fixed, Heuristic, Policy

MOST_MADE = 1_000
"""Targets made on request for providers that take any model."""


@dataclass(frozen=True, slots=True)
class Way:
    """What a name leads to: its offers, the policy that ranks them and the route's settings."""

    name: str
    offers: tuple[Offer, ...]
    policy: Policy
    settings: Route


class Routes:
    """All names, worked out once a day; targets of providers that take any model are made on request, bounded."""

    def __init__(self, config: Config, on: str) -> None:
        self._providers = config.providers
        self._routes = config.routes
        self._aliases = config.aliases
        self._plain = {
            "chat": config.routes.get("auto", Route()),
            "embed": config.routes.get("embed", Route()),
        }
        self._bare = _bare(config.targets)
        self._targets = list(config.targets)
        self.price(on)

    def price(self, on: str) -> None:
        """Everything at the prices of a day; who has found a way before goes it at the old ones."""
        self._on = on
        self._offers = {target.name: self._offer(target) for target in self._targets}
        self._ways = {
            (name, route.verb): self._way(name, route) for name, route in self._routes.items()
        }

    def find(self, name: str, verb: Verb) -> Way:
        """What `model` leads to; raises ModelNotFound."""
        way = self._ways.get((name, verb))
        if way is not None:
            return way
        way = self._resolve(name, verb)
        if len(self._ways) < MOST_MADE:
            self._ways[name, verb] = way
        return way

    def provider_default(self, provider: str) -> str:
        """The chat target that stands for a provider where a caller forces it without naming a model."""
        names = [name for name, offer in self._offers.items() if _serves(offer, provider, "chat")]
        wanted = f"{provider}/gpt-4o"
        if not names:
            raise ModelNotFound(
                f"No chat target of provider '{provider}' is configured.", param="forceProvider"
            )
        return wanted if wanted in names else names[0]

    def provider(self, name: str) -> str:
        """The configured provider of this name, or the one that `cloudflare` means; empty where there is none."""
        if name in self._providers or name != CLOUDFLARE:
            return name if name in self._providers else ""
        return next((one for one, at in self._providers.items() if at.kind == "workers_ai"), "")

    def alias(self, name: str) -> str:
        """What a name stands for; itself where it is no alias."""
        return self._aliases.get(name, name)

    def names(self) -> Iterable[tuple[str, str]]:
        """(name, owner) of every route and target, routes first."""
        yield from ((name, "penstock") for name in self._routes)
        yield from ((name, offer.target.provider) for name, offer in self._offers.items())

    @property
    def any_optional(self) -> bool:
        """Whether any route takes anonymous callers."""
        return any(way.settings.auth == "optional" for way in self._ways.values())

    def _resolve(self, name: str, verb: Verb) -> Way:
        seen = self.alias(name)
        if (seen, verb) in self._ways:
            return self._ways[seen, verb]
        offer = (
            self._offers.get(seen)
            or self._offers.get(self._bare.get((seen, verb), ""))
            or self._made(seen, verb)
        )
        if offer is None or offer.target.verb != verb:
            raise ModelNotFound(
                f"'{name[:100]}' is neither a route nor a configured {verb} target; GET /v1/models lists them.",
                param="model",
            )
        plain = self._plain[verb]
        settings = Route(
            verb=verb,
            targets=(offer.name,),
            # Who may enter and who may share is each route's own choice: never inherited.
            cache=replace(plain.cache, shared=False),
            timeouts=plain.timeouts,
        )
        return Way(offer.name, (offer,), Fixed(), settings)

    def _made(self, name: str, verb: Verb) -> Offer | None:
        provider, _, model = name.partition("/")
        at = self._providers.get(provider)
        if at is not None and at.any_model and model and len(self._offers) < MOST_MADE:
            return self._keep(Target(provider=provider, model=model, verb=verb))
        return self._stand_in(name, verb)

    def _stand_in(self, name: str, verb: Verb) -> Offer | None:
        # The sandbox stands in for a known model only where nothing real is configured.
        real = [
            at for at in self._providers.values() if at.kind not in ("sandbox", "hashed", "local")
        ]
        if "sandbox" not in self._providers or real:
            return None
        for kind in ("openai", "anthropic", "workers_ai"):
            bare = name.removeprefix(f"{kind}/")
            if lookup(kind, bare, self._on) is not None:
                return self._keep(
                    Target(provider="sandbox", model=bare, verb=verb, stands_for=f"{kind}/{bare}")
                )
        return None

    def _keep(self, target: Target) -> Offer:
        self._targets.append(target)
        offer = self._offers[target.name] = self._offer(target)
        return offer

    def _offer(self, target: Target) -> Offer:
        at = self._providers[target.provider]
        kind, _, model = (target.stands_for or f"{at.kind}/{target.model}").partition("/")
        known = find(kind, model)
        most = known.image_tokens if known else MOST_IMAGE_TOKENS
        return make(target, at, lookup(kind, model, self._on) or Price(), most)

    def _way(self, name: str, route: Route) -> Way:
        if route.policy == "heuristic":
            three = tuple(self._offers[one] for one in (route.simple, route.medium, route.strong))
            return Way(name, tuple(dict.fromkeys(three)), Heuristic(*three), route)
        return Way(name, tuple(self._offers[one] for one in route.targets), Fixed(), route)


def _bare(targets: Iterable[Target]) -> Mapping[tuple[str, Verb], str]:
    found: dict[tuple[str, Verb], str] = {}
    for target in targets:
        found.setdefault((target.model, target.verb), target.name)
    return found


def _serves(offer: Offer, provider: str, verb: Verb) -> bool:
    return offer.target.provider == provider and offer.target.verb == verb
