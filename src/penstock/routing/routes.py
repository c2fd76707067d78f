"""Names → offers: what a caller's `model` may say."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from penstock.config import QUALITY, Config, Route, Target, Verb
from penstock.errors import ModelNotFound
from penstock.prices import MOST_IMAGE_TOKENS, find, lookup, named, price_of
from penstock.routing.offers import CLOUDFLARE, Offer, make
from penstock.routing.policies import Cheapest, Fixed, Heuristic, Policy, Weighted

MOST_MADE = 1_000
"""Targets made on request for providers that take any model, of the last names asked for."""
VERBS: tuple[Verb, ...] = ("chat", "embed")


class Way(Struct, frozen=True):
    """What a name leads to: its offers, the policy that ranks them and the route's settings."""

    name: str
    offers: tuple[Offer, ...]
    policy: Policy
    settings: Route


class Routes:
    """All names, worked out once a day; targets of providers that take any model are made on request, bounded."""

    def __init__(self, config: Config, on: str) -> None:
        self._config = config
        self._providers = config.providers
        self._routes = config.routes
        self._targets = config.targets
        self._aliases = config.aliases
        self._plain = {
            "chat": config.routes.get("auto", Route()),
            "embed": config.routes.get("embed", Route()),
        }
        self.any_optional = any(route.auth == "optional" for route in config.routes.values())
        """Whether any route takes anonymous callers."""
        self.price(on)

    def price(self, on: str) -> None:
        """Everything at the prices of a day; who has found a way before goes it at the old ones."""
        self._on = on
        self._offers = {target.name: self._offer(target) for target in self._targets}
        self._ways = self._known(self._routes)
        self._made: OrderedDict[tuple[str, Verb], Way] = OrderedDict()

    def find(self, name: str, verb: Verb) -> Way:
        """What `model` leads to; raises ModelNotFound."""
        way = self._ways.get((name, verb))
        return way if way is not None else self._make(name, verb)

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
        """(name, owner) of every route, alias and configured target, in this order; what callers made up is not shown."""
        found = dict.fromkeys((*self._routes, *self._aliases), "penstock")
        for name, offer in self._offers.items():
            found.setdefault(name, offer.target.provider)
        return found.items()

    def _known(self, routes: Mapping[str, Route]) -> Mapping[tuple[str, Verb], Way]:
        """Every configured name: of two alike a route comes before an alias, a target and a target's bare model."""
        full = {
            (offer.name, offer.target.verb): self._alone(offer) for offer in self._offers.values()
        }
        bare: dict[tuple[str, Verb], Way] = {}
        for offer in self._offers.values():
            bare.setdefault((offer.target.model, offer.target.verb), self._alone(offer))
        own = {(name, route.verb): self._way(name, route) for name, route in routes.items()}
        ends = full | own
        aliased = {
            (alias, verb): ends[end, verb]
            for alias, end in self._aliases.items()
            for verb in VERBS
            if (end, verb) in ends
        }
        return bare | full | aliased | own

    def _make(self, name: str, verb: Verb) -> Way:
        """A way for a name that is not configured, remembered while it is among the last ones asked for."""
        way = self._made.get((name, verb))
        if way is not None:
            self._made.move_to_end((name, verb))
            return way
        target = self._any_model(name, verb) or self._stand_in(name, verb)
        if target is None:
            raise ModelNotFound(
                f"'{name[:100]}' is neither a route nor a configured {verb} target; GET /v1/models lists them.",
                param="model",
            )
        way = self._made[name, verb] = self._alone(self._offer(target, configured=False))
        if len(self._made) > MOST_MADE:
            self._made.popitem(last=False)
        return way

    def _any_model(self, name: str, verb: Verb) -> Target | None:
        provider, _, model = name.partition("/")
        at = self._providers.get(provider)
        # A configured name is for what it is configured for.
        if at is None or not at.any_model or not model or name in self._offers:
            return None
        return Target(provider=provider, model=model, verb=verb)

    def _stand_in(self, name: str, verb: Verb) -> Target | None:
        # The sandbox stands in for a known model only where nothing real is configured.
        real = [
            at for at in self._providers.values() if at.kind not in ("sandbox", "hashed", "local")
        ]
        if "sandbox" not in self._providers or real:
            return None
        for kind in ("openai", "anthropic", "workers_ai"):
            bare = name.removeprefix(f"{kind}/")
            if lookup(kind, bare, self._on) is not None:
                return Target(
                    provider="sandbox", model=bare, verb=verb, stands_for=f"{kind}/{bare}"
                )
        return None

    def _alone(self, offer: Offer) -> Way:
        """A target asked for by its name."""
        verb = offer.target.verb
        plain = self._plain[verb]
        settings = Route(
            verb=verb,
            targets=(offer.name,),
            # Who may enter and who may share is each route's own choice: never inherited.
            cache=replace(plain.cache, shared=False),
            timeouts=plain.timeouts,
        )
        return Way(offer.name, (offer,), Fixed(), settings)

    def _offer(self, target: Target, *, configured: bool = True) -> Offer:
        at = self._providers[target.provider]
        known = find(*named(self._config, target))
        most = known.image_tokens if known else MOST_IMAGE_TOKENS
        price = price_of(self._config, target, self._on)
        return make(target, at, price, most, configured=configured)

    def _way(self, name: str, route: Route) -> Way:
        if route.policy == "heuristic":
            three = tuple(self._offers[one] for one in (route.simple, route.medium, route.strong))
            return Way(name, tuple(dict.fromkeys(three)), Heuristic(*three), route)
        if route.policy == "learned":
            two = tuple(self._offers[one] for one in (route.simple, route.strong))
            return Way(name, tuple(dict.fromkeys(two)), _learned(name, route, *two), route)
        offers = tuple(self._offers[one] for one in route.targets)
        return Way(name, offers, _listed(route, offers), route)


def _listed(route: Route, offers: tuple[Offer, ...]) -> Policy:
    """A policy that chooses among a route's `targets`."""
    if route.policy == "weighted":
        return Weighted(offers, route.weights)
    return Cheapest() if route.policy == "cheapest-that-fits" else Fixed()


def _learned(name: str, route: Route, weak: Offer, strong: Offer) -> Policy:
    """A route's router; raises InvalidRouter where its text is none."""
    from penstock.routing import learned, router  # Workers without such a route start without them

    found = router.decode(route.artefact, f"routes.{name}.artefact")
    quality = QUALITY if route.quality is None else route.quality
    return learned.Learned(weak, strong, found, quality, route.strong_share)


def _serves(offer: Offer, provider: str, verb: Verb) -> bool:
    return offer.target.provider == provider and offer.target.verb == verb
