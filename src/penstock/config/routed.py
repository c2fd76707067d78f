"""Routes: names that lead to several targets, and how one of them is chosen."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from penstock.config.bounds import Patience, Positive, Seconds, Weight
from penstock.config.labels import Shadow

Verb = Literal["chat", "embed"]
Share = Annotated[float, Meta(ge=0, le=1)]
QUALITY = 0.95
"""What is kept of the strong target's quality where a learned route says nothing."""


class RouteCache(Struct, frozen=True, forbid_unknown_fields=True):
    """How answers of a route are kept; `shared` lets every caller have every answer, by the operator's explicit choice."""

    ttl: Patience = 3600
    """Seconds an answer is kept; a route of verb embed keeps them for 7 days unless told."""
    shared: bool = False
    """Whether callers share answers."""
    enabled: bool = True
    """Whether answers are kept at all."""


class TimeoutSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How long each phase of a call may take, in seconds."""

    connect: Seconds = 5.0
    """To reach the target."""
    first_byte: Seconds = 60.0
    """From the request's end to the first byte of the reply."""
    idle: Seconds = 30.0
    """Between two pieces of the reply."""
    total: Seconds = 600.0
    """From start to end."""


class Route(Struct, frozen=True, forbid_unknown_fields=True):
    """A named choice of targets: what a caller's `model` may say beside a target's own name."""

    verb: Verb = "chat"
    """What its targets do."""
    policy: Literal["fixed", "weighted", "cheapest-that-fits", "heuristic", "learned"] = "fixed"
    """How a target is chosen: in order of preference, by weight, by what the request can cost at most, by the complexity of the last message, or by a router that learned what the strong target gains."""
    targets: tuple[str, ...] = ()
    """In order of preference (policies `fixed`, `weighted`, `cheapest-that-fits`)."""
    weights: tuple[Weight, ...] = ()
    """How many of the requests each of `targets` gets beside the others (policy `weighted`); a request that is repeated goes where it went, and a long conversation stays where it began, if all of them can keep its prompt warm."""
    simple: str = ""
    """Target of simple messages (policy `heuristic`), or of those that gain little by the strong one (`learned`)."""
    medium: str = ""
    """Target of middling messages (policy `heuristic`)."""
    strong: str = ""
    """Target of complex messages (policy `heuristic`), or of those that gain by it (`learned`)."""
    model: str = ""
    """File that `penstock router fit` made (policy `learned`); empty: the one that comes with Penstock, which knows nothing of your traffic."""
    quality: Share | None = None
    """How much of the strong target's quality is to be kept (policy `learned`), as the router's own labels showed with 95 % certainty; 0.95 where `strong_share` is not set either."""
    strong_share: Share | None = None
    """How many of the requests may go to the strong target, in place of `quality`, if they are as the router's labels were."""
    artefact: str = ""
    """Text of such a file, in place of `model`: start-up fills it in, and `penstock deploy cloudflare` writes it."""
    auth: Literal["required", "optional"] = "required"
    """With `optional`, a missing or bad token makes an anonymous caller."""
    cache: RouteCache = RouteCache()
    """How its answers are kept."""
    timeouts: TimeoutSettings = TimeoutSettings()
    """Its time-outs."""
    attempts: Positive = 3
    """Most tries of one request, over all its targets."""
    shadow: Shadow | None = None
    """A share of its chats asked of another target too, and judged; without it none."""
