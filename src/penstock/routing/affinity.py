"""Session affinity: a conversation's prompt may be warm in the cache of the target that had its last turn, and what that is worth.

Pure: the gateway keeps the marks, and asks here what they mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct, structs

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

_lines = msgspec.json.Encoder(order="sorted").encode_lines


class Mark(Struct, frozen=True, array_like=True):
    """What an answer left behind it: `warm` of its prompt's `tokens` lie in the cache of a target, at one deployment of it.

    `bound` and `images` are the ask's own, by which the next one's length is told.
    """

    target: str
    deployment: str
    tokens: int
    warm: int
    output: int
    bound: int
    images: int


class Trail:
    """The names of a conversation's marks, keyed by whose it is; each byte of it is hashed once."""

    __slots__ = ("_ask", "_at", "_hash")

    def __init__(self, secret: bytes, owner: str, route: str, ask: Ask) -> None:
        self._ask = ask
        self._at = 0
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


def left(offer: Offer, deployment: str, ask: Ask, usage: Usage) -> Mark | None:
    """What an answer leaves; None where nothing of its prompt is cached, or a cached one costs no less there."""
    if not _discounted(offer):
        return None
    warm = usage.cached_input + usage.cache_write  # what the provider itself says is in its cache
    if offer.at.kind in CACHES_UNASKED:
        warm = usage.total_input
    warm -= warm % STEP
    if warm < LEAST_WARM_TOKENS:
        return None
    return Mark(
        offer.name, deployment, usage.total_input, warm, usage.output, ask.input_bound, ask.images
    )


def found(choice: Choice, mark: Mark, ask: Ask) -> Offer | None:
    """The offer of a choice that a mark makes warm; None where it is not one that may go first, or costs no less warm.

    Where lots were drawn, none unless all could be warm: else shares would drift to those that can.
    """
    if ask.images != mark.images:
        return None  # nobody knows how many tokens a new image is
    may = {choice.offers[0].name, *(offer.name for offer in choice.instead)}
    offer = next((one for one in choice.offers if one.name == mark.target and not one.own), None)
    if offer is None or offer.name not in may:
        return None
    judged = choice.offers if choice.drawn else (offer,)
    return offer if all(_discounted(one) and _caches(one, ask) for one in judged) else None


def weighed(choice: Choice, offer: Offer, mark: Mark, ask: Ask) -> tuple[Choice, dict[str, Any]]:
    """The choice with the warm offer first where it is expected to cost no more than the policy's own, and what is told of it.

    Where the policy draws lots the alternative is the same target cold: whichever is drawn, another conversation is
    drawn the other way, and at the same shares staying is what saves.
    """
    first = choice.offers[0]
    told: dict[str, Any] = {"target": offer.name, "tokens": mark.warm}
    if mark.deployment:
        told["deployment"] = mark.deployment
    if offer is not first:
        other = offer if choice.drawn else first
        if not (other.priced and (choice.drawn or not other.at.free_neurons_per_day)):
            return choice, {}  # it may cost nothing
        saves = cost(other, mark, ask, warm=False) - cost(offer, mark, ask, warm=True)
        if saves < 0:
            return choice, {}
        told |= {"instead_of": first.name, "saves_nanos": saves}
    elif not mark.deployment:
        return choice, {}  # it goes first anyway
    others = [one for one in choice.offers if one is not offer]
    at = structs.replace(offer, deployment=mark.deployment) if mark.deployment else offer
    return structs.replace(choice, offers=(at, *others)), told


def cost(offer: Offer, mark: Mark, ask: Ask, *, warm: bool) -> int:
    """What an ask is expected to cost at an offer, in nano-dollars: as long as its bytes beside those of the turn before,
    and answered at the last answer's length, or ANSWER_TOKENS where that is more; no longer than its caller allows."""
    tokens = max(mark.warm, -(-mark.tokens * ask.input_bound // max(1, mark.bound)))
    most = ask.max_output * ask.n if ask.max_output else None
    output = max(ANSWER_TOKENS * ask.n, mark.output)
    output = output if most is None else min(output, most)
    cached = mark.warm if warm else 0
    new = tokens - cached
    if _caches(offer, ask) and offer.price.cache_write > offer.price.input:
        return amount_nanos(offer.price, Usage(0, cached, new, output))
    return amount_nanos(offer.price, Usage(new, cached, output=output))


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
