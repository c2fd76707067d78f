"""What is kept of chats for routers to learn from: prompts of tenants who agreed, and which answers get a shadow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from penstock.config import Config, Route
from penstock.config.labels import Shadow, Tenant
from penstock.config.shadows import EXACT, FUNCTION, sides
from penstock.gateway.behind import Behind
from penstock.gateway.faces import CHAT
from penstock.ledger import logs
from penstock.limits.hold import Hold
from penstock.routing import features, judging
from penstock.routing.heuristic import complexity
from penstock.routing.offers import Offer
from penstock.wire import completion
from penstock.wire.chat import Ask
from penstock.wire.json import encode

if TYPE_CHECKING:
    from penstock.gateway import Gateway
    from penstock.gateway.delivery import Delivery

MOST_PROMPT_BYTES = 64 << 10
MOST_WAITING = 500
AGREED_TO_NOTHING = Tenant()

Scorer = Callable[[Sequence[Mapping[str, Any]], str], Awaitable[float]]
"""A function of the operator's own: messages and an answer, to a score from 0 to 1."""


class Given(Struct, frozen=True):
    """What the judges of routes need of the outside, by route: functions, and references by `judging.named`."""

    scorers: Mapping[str, Scorer] = {}
    references: Mapping[str, Mapping[bytes, str]] = {}


class Sample(Struct, frozen=True):
    """An answered chat that gets a shadow: who asked what where, what was said, and what is asked of whom now."""

    request_id: str
    owner: str
    tenant: str
    route: str
    settings: Route
    shadow: Shadow
    ask: Ask
    answered: Offer
    other: Offer
    strong: bool
    """Whether the other one is the strong side."""
    text: str
    nanos: int
    keep: bool
    """Whether the texts may be kept."""
    reference: str = ""


class Labels:
    """Decides once an answer has ended; what follows runs behind it."""

    def __init__(self, config: Config, behind: Behind) -> None:
        self._tenants = config.tenants
        self._behind = behind
        self.given = Given()

    def after(self, delivery: Delivery) -> None:
        """A chat was answered and told: keeps its prompt where that was agreed, and begins its shadow where the lot says so."""
        try:
            self._after(delivery)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller has an answer
            delivery.gateway.report(delivery.exchange.id, error)

    def _after(self, delivery: Delivery) -> None:
        exchange = delivery.exchange
        if exchange.caller.anonymous or "no-store" in exchange.cache_control:
            return
        if delivery.face.verb != CHAT:
            return  # a prompt that holds documents would outlive them, and those shared are others' too
        tenant = self._tenants.get(exchange.caller.tenant, AGREED_TO_NOTHING)
        if tenant.texts == "all" and delivery.decision.status == 200:
            _keep_prompt(delivery)
        if delivery.way is not None and delivery.way.settings.shadow is not None and tenant.shadow:
            self._shadow(delivery, delivery.way.settings.shadow, tenant)

    def _shadow(self, delivery: Delivery, shadow: Shadow, tenant: Tenant) -> None:
        gateway = delivery.gateway
        if not _comparable(delivery) or gateway.platform.ids.fraction() >= shadow.share:
            return
        sample = self._sample(delivery, shadow, tenant)
        if sample is None:
            return
        from penstock.gateway.shadow import run

        if not self._behind.begin(partial(run, gateway, self.given, sample)):
            self._behind.outcomes[sample.route, "full"] += 1

    def _sample(self, delivery: Delivery, shadow: Shadow, tenant: Tenant) -> Sample | None:
        way, answer, ask = delivery.way, delivery.answer, delivery.ask
        assert way is not None
        assert answer is not None
        text = _said(delivery)
        if not text or len(text) > judging.MOST_CHARACTERS:
            return None
        reference = self._reference(way.name, ask) if shadow.judge == EXACT else ""
        if shadow.judge == EXACT and not reference:
            return None
        if FUNCTION.fullmatch(shadow.judge) and way.name not in self.given.scorers:
            return None
        weak, strong = sides(way.settings, shadow)
        was_strong = answer.offer.name == strong
        other = _offer(delivery.gateway, weak if was_strong else strong)
        if other.name == answer.offer.name:
            return None
        asked = [other]
        if shadow.judge != EXACT and way.name not in self.given.scorers:
            asked.append(_offer(delivery.gateway, shadow.judge))
        if not all(map(_holdable, asked)):
            self._behind.outcomes[way.name, "unpriced"] += 1
            return None
        nanos = delivery.hold.amount if isinstance(delivery.hold, Hold) else 0
        return Sample(
            delivery.exchange.id, delivery.exchange.caller.owner, delivery.exchange.caller.tenant, way.name,
            way.settings, shadow, ask, answer.offer, other, not was_strong, text, nanos,
            tenant.texts != "none", reference,
        )  # fmt: skip

    def _reference(self, route: str, ask: Ask) -> str:
        return self.given.references.get(route, {}).get(judging.named(ask.text), "")


def seen(ask: Ask) -> str:
    """What a router sees of an ask, as JSON: the slots that are set, and what the simpler ways of choosing go by."""
    told = {
        "version": features.VERSION,
        "slots": features.slots(ask),
        "length": len(ask.text),
        "complexity": complexity(ask)[0],
    }
    return encode(told).decode()


def _comparable(delivery: Delivery) -> bool:
    """Whether it is a plain chat that was bought, whole and well, by one who reads it: of nothing else are two answers alike."""
    flight, answer, ask = delivery.flight, delivery.answer, delivery.ask
    if not delivery.leads or delivery.decision.error or flight is None or answer is None:
        return False
    whole = flight.landed and flight.complete and flight.kept
    plain = not (ask.tools or ask.images or ask.n != 1 or ask.unknown)
    # Who has keys of its own says by them whose account sees its prompts.
    return whole and plain and not delivery.private and ask.input_bound <= MOST_PROMPT_BYTES


def _said(delivery: Delivery) -> str:
    """The text of an answer that ended by itself, else nothing."""
    assert delivery.flight is not None
    events = delivery.flight.events
    if any(event.tools for event in events):
        return ""
    blocks = [event.data for event in events if event.data]
    usage = delivery.told.usage
    if not blocks:
        return ""
    told = completion.read(
        blocks[0] if delivery.flight.whole else completion.assemble(blocks, usage)
    )
    return told.text if told.finish == "stop" else ""


def _holdable(offer: Offer) -> bool:
    """Whether the day's money can be held for it, and it can be asked in nobody's name."""
    return offer.priced and offer.at.kind != "service"


def _offer(gateway: Gateway, name: str) -> Offer:
    return gateway.names.routes.find(name, "chat").offers[0]


def _keep_prompt(delivery: Delivery) -> None:
    caller, platform = delivery.exchange.caller, delivery.gateway.platform
    messages = encode(delivery.ask.body["messages"])
    # A prompt is a large row: while the tables are out of reach, few of them wait.
    if len(messages) <= MOST_PROMPT_BYTES and delivery.gateway.journal.waiting < MOST_WAITING:
        at = int(platform.clock.now() * 1000)
        row = logs.prompt(delivery.exchange.id, at, caller.owner, caller.tenant, messages)
        delivery.gateway.journal.add(row)
