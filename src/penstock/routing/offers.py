"""A target with where it is reached, who translates for it and what it costs: all that is needed to call it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct, structs

from penstock.config import Provider as Reached
from penstock.config import Target
from penstock.prices import FREE, MOST_IMAGE_TOKENS, Price, amount_nanos, dearest
from penstock.providers import ALWAYS_CAPPED, CHAT, EMBED, Chat, Embed
from penstock.wire.chat import Ask, Usage

CLOUDFLARE = "cloudflare"
OWN_KINDS = frozenset({"openai", "anthropic"})
"""Kinds that a tenant can have a key of its own for: nothing but the key says whose account it is."""
ANSWER_TOKENS = 500
"""Of an answer whose length nobody knows yet, where two targets' prices are compared."""
LEAST_WARM_TOKENS = 1_024
"""Of a prompt that a provider caches: OpenAI's and Anthropic's least."""
LEAST_WARM_BYTES = 2 * LEAST_WARM_TOKENS
"""Of an ask that may have so many: nobody's tokens are shorter on the average."""
_FREE = msgspec.json.encode(FREE).decode()


class Offer(Struct, frozen=True):
    """One target, ready to be called. `chat` and `embed` are what its provider can translate."""

    target: Target
    at: Reached
    price: Price
    chat: Chat | None = None
    embed: Embed | None = None
    frozen: str = ""
    """The price as the ledger keeps it."""
    configured: bool = True
    """False where a caller's own words made it."""
    image_tokens: int = MOST_IMAGE_TOKENS
    """The most input tokens one image can be."""
    priced: bool = True
    """Whether its price is known; if not, it is counted as free."""
    own: bool = False
    """Whether it is called with its tenant's own key: then it costs us nothing, and who is asked is the tenant's affair."""
    deployment: str = ""
    """Which of its deployments is asked first, if it may be: the one that has this ask's prompt warm."""
    name: str = ""
    label: str = ""
    """Its name where names are counted: callers cannot add to these."""

    def __post_init__(self) -> None:
        name, provider = self.target.name, self.target.provider
        structs.force_setattr(self, "name", name)
        structs.force_setattr(self, "label", name if self.configured else f"{provider}/*")

    @property
    def vendor(self) -> str:
        """The provider as the product face names it: `cloudflare` for Workers AI, however it is configured."""
        return CLOUDFLARE if self.at.kind == "workers_ai" else self.target.provider

    def most(self, ask: Ask, *, capped: bool = False) -> Usage:
        """The most this ask can take here, however its input is billed; `capped` if it is sent `cap` where it has none."""
        return dearest(
            self.price,
            ask.input_bound + ask.images * self.image_tokens,
            (ask.max_output or (self.cap if capped else self._uncapped)) * ask.n,
        )

    @property
    def cap(self) -> int:
        """The output cap under a budget of an ask that names none."""
        target = self.target
        return min(target.default_max_output, target.max_output or target.default_max_output)

    @property
    def _uncapped(self) -> int:
        """The most tokens of an answer whose caller caps nothing."""
        if self.at.kind in ALWAYS_CAPPED:
            return self.target.default_max_output
        return self.target.max_output or self.target.context

    def paid(self) -> Offer:
        """The same for a call whose price another one pays, of which it is a part."""
        return structs.replace(self, price=FREE, frozen=_FREE, priced=True)

    def reserve(self, ask: Ask, *, capped: bool = False) -> int:
        """The most it can cost here, in nano-dollars."""
        return amount_nanos(self.price, self.most(ask, capped=capped))


def owned(offer: Offer, key: str) -> Offer:
    """The same called with its tenant's own key, at the provider's own address."""
    at = structs.replace(offer.at, api_key=key, deployments=(), free_neurons_per_day=0)
    return Offer(
        offer.target, at, FREE, offer.chat, offer.embed, _FREE, offer.configured, offer.image_tokens,
        own=True,
    )  # fmt: skip


def by_own_keys(offers: Sequence[Offer], keys: Mapping[str, str]) -> tuple[Offer, ...]:
    """Ranked offers as a tenant with these keys, by provider, is served: after its own key ours follows only where the
    operator says so, and its price is known."""
    found: list[Offer] = []
    only = False
    for offer in offers:
        key = keys.get(offer.target.provider)
        if key is not None:
            found.append(owned(offer, key))
            only = only or offer.at.tenant_keys == "only"
        ours = key is None or (offer.at.tenant_keys == "first" and offer.priced)
        if ours and not only:
            found.append(offer)
    return tuple(found)


def make(
    target: Target,
    at: Reached,
    price: Price | None,
    image_tokens: int = MOST_IMAGE_TOKENS,
    *,
    configured: bool = True,
) -> Offer:
    """An offer with its price written down, None where it is not known; what the operator says of images goes before `image_tokens`."""
    known = price or Price()
    frozen = msgspec.json.encode(known).decode()
    most = target.image_tokens or image_tokens
    chat, embed = CHAT.get(at.kind), EMBED.get(at.kind)
    priced = price is not None
    return Offer(target, at, known, chat, embed, frozen, configured, most, priced)
