"""The policy that was learned: an ask goes to the strong target where its expected gain is worth it."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.prices import amount_nanos, dearest
from penstock.routing import features
from penstock.routing.offers import ANSWER_TOKENS, Offer
from penstock.routing.policies import Choice, stronger
from penstock.routing.router import Router, Scorer, threshold
from penstock.wire.chat import Ask


class Learned:
    """Asks whose score reaches the threshold to the strong target, the others to the weak one; the other follows as a fall-back."""

    name = "learned"

    def __init__(
        self,
        weak: Offer,
        strong: Offer,
        router: Router,
        quality: float | None = None,
        strong_share: float | None = None,
    ) -> None:
        self._weak = weak
        self._strong = strong
        self._weak_first = (weak,) if weak == strong else (weak, strong)
        self._strong_first = self._weak_first[::-1]
        self._score = Scorer(router)
        self._threshold = threshold(router, quality, strong_share)
        self._known = {
            "threshold": round(self._threshold, 4),
            "router": router.name,
            "labels": router.rows,
            "apgr_least": round(router.apgr[1], 3),
        }

    def rank(self, ask: Ask, offers: Sequence[Offer]) -> Choice:
        score = self._score(features.slots(ask))
        reason = "strong" if score >= self._threshold else "weak"
        if reason == "weak" and not cheaper(self._weak, self._strong, ask):
            reason = "weak is no cheaper"
        order = self._weak_first if reason == "weak" else self._strong_first
        kept = tuple(offer for offer in order if offer in offers)
        seen = {"score": round(score, 4), **self._known, "turns": ask.turns}
        return Choice(kept, reason, seen, stronger(self._weak_first, kept))


def cheaper(one: Offer, other: Offer, ask: Ask) -> bool:
    """Whether an answer of the same length costs less at one than at the other; so too where a price is not known, or neither costs anything."""
    if not (one.priced and other.priced):
        return True
    costs = [_cost(offer, ask) for offer in (one, other)]
    return costs[0] < costs[1] or not any(costs)


def _cost(offer: Offer, ask: Ask) -> int:
    return amount_nanos(offer.price, dearest(offer.price, ask.input_bound, ANSWER_TOKENS))
