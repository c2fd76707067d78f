"""Session affinity: a conversation's prompt may be warm in the cache of the target that had its last turn, and what that is worth.

Pure: the gateway keeps the marks, and asks here what they mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, structs

from penstock.prices import amount_nanos
from penstock.providers import CACHES_UNASKED
from penstock.routing.offers import ANSWER_TOKENS, LEAST_WARM_TOKENS, Offer
from penstock.routing.policies import Choice
from penstock.wire.chat import Ask, Usage

STEP = 128
"""OpenAI caches so many tokens at a time."""
SECONDS = 300.0
"""A mark's time, the shortest that a provider keeps a prompt."""
ASKED = b'"cache_control"'
PROMPT = (
    "functions", "tools", "function_call", "tool_choice", "parallel_tool_calls", "response_format", "reasoning_effort",
)  # fmt: skip
"""The fields beside `messages` that stand in a prompt, or without which a provider does not find it again."""

MOST = 4
"""Targets and deployments of which a mark tells."""

Well = Callable[[Offer, str], bool]
"""Whether an offer's deployment of this name, or any, may be asked now and does not keep failing."""

_lines = msgspec.json.Encoder(order="sorted").encode_lines


Count = Annotated[int, Meta(ge=0, le=1 << 40)]


class Warm(Struct, frozen=True, array_like=True):
    """A target that has the beginning of a conversation in its cache, so many tokens of it, at one deployment; until then."""

    target: str
    deployment: str
    tokens: Count
    until: float

    def lasts(self, now: float) -> bool:
        """Whether it still is; clocks may differ, but what would last for long is no mark of ours."""
        return now < self.until <= now + 2 * SECONDS


class Mark(Struct, frozen=True, array_like=True):
    """What a turn left behind it: who has how much warm, the one that answered first.

    `tokens`, `output`, `bound` and `images` are the turn's own, by which the next one's length is told.
    """

    tokens: Count
    output: Count
    bound: Count
    images: Count
    each: Annotated[tuple[Warm, ...], Meta(max_length=MOST)]


class Trail:
    """The names of a conversation's marks, keyed by whose it is; each byte of it is hashed once. `found` is the mark of the turn before."""

    __slots__ = ("_ask", "_at", "_hash", "found")

    def __init__(self, secret: bytes, owner: str, route: str, ask: Ask) -> None:
        self._ask = ask
        self._at = 0
        self.found: Mark | None = None
        head = [owner, route, {name: ask.body[name] for name in PROMPT if name in ask.body}]
        self._hash = blake2b(_lines([head]), digest_size=32, key=secret, person=b"warm")

    def before(self) -> str:
        """The mark that the turn before this one may have left; empty where there was none."""
        messages = self._ask.body["messages"]
        for at in range(len(messages) - 1, 0, -1):
            if messages[at].get("role") == "assistant":
                return self._to(at)
        return ""

    def here(self) -> str:
        """The mark that this turn leaves; to be asked after `before`."""
        return self._to(len(self._ask.body["messages"]))

    def _to(self, at: int) -> str:
        messages = self._ask.body["messages"][self._at : at]
        if ASKED in self._ask.canonical:
            messages = [_plain(message) for message in messages]
        self._hash.update(_lines(messages))
        self._at = at
        return f"warm:{self._hash.hexdigest()}"


def possible(offers: Sequence[Offer], ask: Ask) -> bool:
    """Whether any of them could have this ask's prompt warm, and for less: else no mark need be looked for."""
    return any(_discounted(offer) and _caches(offer, ask) for offer in offers)


def left(
    offer: Offer, deployment: str, ask: Ask, usage: Usage, before: Mark | None, now: float
) -> Mark | None:
    """What a turn leaves, with what the ones before it have left elsewhere; None where nothing is warm."""
    here = _tokens(offer, usage)
    each = [Warm(offer.name, deployment, here, now + SECONDS)] if here else []
    for one in before.each if before else ():
        if one.lasts(now) and (one.target, one.deployment) != (offer.name, deployment):
            each.append(one)
    if not each:
        return None
    return Mark(usage.total_input, usage.output, ask.input_bound, ask.images, tuple(each[:MOST]))


def weighed(
    choice: Choice, mark: Mark, ask: Ask, now: float, well: Well, attempts: int
) -> tuple[Choice, dict[str, Any]]:
    """The choice with a warm offer first where it is expected to cost no more than the policy's own, and what is told of it.

    Only what would be tried within so many `attempts` comes forward: no more is reserved for it than without.
    """
    may = _may(choice, attempts)
    warm = _warm(may, mark, ask, now, well)
    if not warm:
        return choice, {}
    first = choice.offers[0]
    best = _kept(choice, mark, ask, warm) if choice.drawn else _best(may, mark, ask, warm)
    one = warm.get(best.name)
    if one is None or (best is first and not one.deployment):
        return choice, {}  # it goes first anyway
    told: dict[str, Any] = {"target": best.name, "tokens": one.tokens}
    if one.deployment:
        told["deployment"] = one.deployment
    if best is not first:
        # Where lots are drawn the alternative is the same target cold: another conversation is drawn the other way, and at
        # the same shares staying is what saves.
        other, its = (best, None) if choice.drawn else (first, warm.get(first.name))
        saves = cost(other, its, mark, ask) - cost(best, one, mark, ask)
        told |= {"instead_of": first.name, "saves_nanos": saves}
    return structs.replace(choice, offers=_first(choice.offers, best, one.deployment)), told


def cost(offer: Offer, warm: Warm | None, mark: Mark, ask: Ask) -> int:
    """What an ask is expected to cost at an offer, in nano-dollars: as long as its bytes beside those of the turn before,
    and answered at the last answer's length, or ANSWER_TOKENS where that is more; no longer than its caller allows."""
    tokens = -(-mark.tokens * ask.input_bound // max(1, mark.bound))
    tokens = min(tokens, max(mark.tokens, ask.input_bound))  # a token is a byte at the least
    cached = 0 if warm is None else min(warm.tokens, tokens)
    new = tokens - cached
    most = ask.max_output * ask.n if ask.max_output else None
    output = max(ANSWER_TOKENS * ask.n, mark.output)
    output = output if most is None else min(output, most)
    if _caches(offer, ask) and offer.price.cache_write > offer.price.input:
        return amount_nanos(offer.price, Usage(0, cached, new, output))
    return amount_nanos(offer.price, Usage(new, cached, output=output))


def _warm(may: Sequence[Offer], mark: Mark, ask: Ask, now: float, well: Well) -> dict[str, Warm]:
    """Who of those that may go first has how much warm, by name."""
    if ask.images != mark.images:
        return {}  # nobody knows how many tokens a new image is
    found: dict[str, Warm] = {}
    for offer in may:
        for one in mark.each if _discounted(offer) and _caches(offer, ask) else ():
            if one.target == offer.name and one.lasts(now) and well(offer, one.deployment):
                found.setdefault(offer.name, one)
    return found


def _may(choice: Choice, attempts: int) -> list[Offer]:
    """The policy's own, and those that may take its place, in its order; of lots each could have been the first."""
    tried = choice.offers if choice.drawn else choice.offers[:attempts]
    names = {choice.offers[0].name, *[offer.name for offer in choice.instead]}
    return [offer for offer in tried if offer.name in names]


def _kept(choice: Choice, mark: Mark, ask: Ask, warm: Mapping[str, Warm]) -> Offer:
    """Where lots were drawn: the target that had the turn before, if all could be warm; else shares would drift to those that can."""
    last = mark.each[0].target
    if last in warm and all(_discounted(one) and _caches(one, ask) for one in choice.offers):
        return next(offer for offer in choice.offers if offer.name == last)
    return choice.offers[0]


def _first(offers: Sequence[Offer], best: Offer, deployment: str) -> tuple[Offer, ...]:
    """The offers with that one first, to be asked at a deployment; one that stands there twice does so after it."""
    others = list(offers)
    others.remove(best)
    named = structs.replace(best, deployment=deployment) if deployment else best
    return (named, *[named if offer is best else offer for offer in others])


def _best(may: Sequence[Offer], mark: Mark, ask: Ask, warm: Mapping[str, Warm]) -> Offer:
    """The cheapest of the policy's own and the warm ones."""
    first = may[0]
    if not first.priced or first.at.free_neurons_per_day:
        return first  # it may cost nothing
    others = [offer for offer in may[1:] if offer.name in warm]

    def expected(offer: Offer) -> tuple[int, bool]:
        return cost(offer, warm.get(offer.name), mark, ask), offer.name not in warm

    return min((first, *others), key=expected)


def _tokens(offer: Offer, usage: Usage) -> int:
    """How many of its prompt's tokens an answer leaves in a cache from which they cost less."""
    if not _discounted(offer):
        return 0
    warm = usage.cached_input + usage.cache_write  # what the provider itself says is in its cache
    if offer.at.kind in CACHES_UNASKED:
        warm = usage.total_input
    warm -= warm % STEP
    return warm if warm >= LEAST_WARM_TOKENS else 0


def _discounted(offer: Offer) -> bool:
    return offer.priced and offer.price.cached_input < offer.price.input


def _caches(offer: Offer, ask: Ask) -> bool:
    """Whether an offer's provider keeps this ask's prompt, and looks for it."""
    return offer.at.kind in CACHES_UNASKED or ASKED in ask.canonical


def _plain(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """A message without where its caller wants the cache to end: that moves on with the conversation."""
    content = message.get("content")
    if not isinstance(content, list):
        return message
    parts = [{k: v for k, v in part.items() if k != "cache_control"} for part in content]
    return {**message, "content": parts}
