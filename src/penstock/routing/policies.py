"""Policies: an ask and offers in, the offers ranked with a reason out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from zlib import crc32

from msgspec import Struct

from penstock.errors import BadRequest
from penstock.providers import EMBED_FIELDS
from penstock.routing.heuristic import complexity, tokens
from penstock.routing.offers import Offer
from penstock.wire.chat import Ask


class Choice(Struct, frozen=True):
    """Offers in the order they are to be tried, and why. `instead` are those that are as good for this ask as the first, or better:
    one that is warm may go before it. `drawn` says that lots decided which is first."""

    offers: tuple[Offer, ...]
    reason: str
    features: dict[str, Any] = {}
    instead: tuple[Offer, ...] = ()
    drawn: bool = False


class Policy(Protocol):
    """Ranks offers for an ask; pure."""

    name: str

    def rank(self, ask: Ask, offers: Sequence[Offer]) -> Choice: ...


class Fixed:
    """The order of the configuration."""

    name = "fixed"

    def rank(self, ask: Ask, offers: Sequence[Offer]) -> Choice:
        return Choice(tuple(offers), "as configured")


class Weighted:
    """Targets by their weights; by a hash of the ask, so that a repeated one finds the same target and its warm cache."""

    name = "weighted"

    def __init__(self, offers: Sequence[Offer], weights: Sequence[int]) -> None:
        self._weights: dict[Offer, int] = {}
        for offer, weight in zip(offers, weights, strict=True):
            self._weights[offer] = self._weights.get(offer, 0) + weight

    def rank(self, ask: Ask, offers: Sequence[Offer]) -> Choice:
        left = [(offer, weight) for offer, weight in self._weights.items() if offer in offers]
        point = crc32(ask.canonical) * sum(weight for _, weight in left) >> 32
        for offer, weight in left:
            point -= weight
            if point < 0:
                rest = tuple([other for other, _ in left if other is not offer])
                return Choice((offer, *rest), "by weight", instead=rest, drawn=True)
        return Choice((), "by weight")


class Cheapest:
    """The offers by the most that this ask can cost there, those whose price is not known last."""

    name = "cheapest-that-fits"

    def rank(self, ask: Ask, offers: Sequence[Offer]) -> Choice:
        def cost(offer: Offer) -> tuple[bool, int]:
            return not offer.priced, offer.reserve(ask, capped=True)

        ranked = tuple(sorted(offers, key=cost))
        return Choice(ranked, "cheapest first", instead=ranked[1:])


class Heuristic:
    """Simple and medium asks to cheap targets, complex ones to the strong; the others follow as a fall-back."""

    name = "heuristic"

    def __init__(self, simple: Offer, medium: Offer, strong: Offer) -> None:
        # A target that stands in two places is as strong as the higher of them.
        self._rising = _unique(strong, medium, simple)[::-1]
        self._orders = {
            "simple": _unique(simple, medium, strong),
            "medium": _unique(medium, simple, strong),
            "complex": _unique(strong, medium, simple),
        }

    def rank(self, ask: Ask, offers: Sequence[Offer]) -> Choice:
        found, features = complexity(ask)
        kept = tuple(offer for offer in self._orders[found] if offer in offers)
        return Choice(kept, found, features, stronger(self._rising, kept))


def stronger(rising: Sequence[Offer], ranked: Sequence[Offer]) -> tuple[Offer, ...]:
    """Those of the ranked offers that come after the first of them where they rise in strength."""
    above = rising[rising.index(ranked[0]) + 1 :] if ranked else ()
    return tuple([offer for offer in above if offer in ranked])


def elsewhere(offers: Sequence[Offer]) -> tuple[Offer, ...]:
    """Those that are no service: for a call from inside one, which would go round; raises BadRequest where none is left."""
    kept = tuple(offer for offer in offers if offer.at.kind != "service")
    if not kept:
        raise BadRequest(
            "A service cannot be answered by a service: name another model.",
            code="no_target_fits",
            param="model",
        )
    return kept


def fitting(ask: Ask, offers: Sequence[Offer]) -> tuple[Offer, ...]:
    """The offers that can take this ask at all; raises BadRequest saying what none of them can."""
    kept: list[Offer] = []
    why: BadRequest | None = None
    for offer in offers:
        problem = _misfit(ask, offer)
        if problem is None:
            kept.append(offer)
        else:
            why = problem
    if not kept:
        raise why or BadRequest("No target can take this request.", code="no_target_fits")
    return tuple(kept)


def embedding(fields: Mapping[str, Any], offers: Sequence[Offer]) -> list[Offer]:
    """The offers that can take these fields of an embeddings request; raises BadRequest naming one that none can."""
    foreign = {offer.name: _foreign(fields, offer) for offer in offers}
    kept = [offer for offer in offers if not foreign[offer.name]]
    if not kept:
        name, field_name = foreign.popitem()
        if field_name == "dimensions":
            raise BadRequest(
                f"'dimensions' cannot be chosen for {name}.",
                code="unsupported_parameter",
                param="dimensions",
            )
        raise _refuse(f"{name} cannot express '{field_name}' of embeddings.", field_name)
    return kept


def _foreign(fields: Mapping[str, Any], offer: Offer) -> str:
    """The first field that an offer has no words for, `model` where it has no embeddings at all."""
    if offer.at.kind not in EMBED_FIELDS:
        return "model"
    known = EMBED_FIELDS[offer.at.kind]
    # `user` only labels a request, and a model of one length may be asked for it.
    own = {"user": fields.get("user"), "dimensions": offer.target.dimension}
    for name, value in fields.items():
        if not (known is None or name in known or (name in own and own[name] == value)):
            return name
    return ""


def _misfit(ask: Ask, offer: Offer) -> BadRequest | None:
    target = offer.target
    if ask.tools and not target.tools:
        return _refuse(f"{offer.name} takes no tools.", "tools")
    if ask.images and not target.images:
        return _refuse(f"{offer.name} takes no images.", "messages")
    try:
        field_name = offer.chat.inexpressible(ask, target) if offer.chat else "messages"
    except BadRequest as untranslatable:
        return untranslatable
    if field_name:
        return _refuse(f"{offer.name} cannot express '{field_name}'.", field_name)
    need = ask.input_bound // 4 + (ask.max_output or 0)
    if need > target.context:
        return BadRequest(
            f"This needs about {need} tokens; {offer.name} has a context of {target.context}.",
            code="context_length_exceeded",
            param="messages",
        )
    return None


def _refuse(message: str, param: str) -> BadRequest:
    return BadRequest(message, code="unsupported_field", param=param)


def _unique(*offers: Offer) -> tuple[Offer, ...]:
    return tuple(dict.fromkeys(offers))


__all__ = [
    "Cheapest",
    "Choice",
    "Fixed",
    "Heuristic",
    "Policy",
    "Weighted",
    "complexity",
    "embedding",
    "fitting",
    "stronger",
    "tokens",
]
