"""Which target has a conversation's prompt warm: asked for before a long turn is sent, and noted after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from penstock.ports import Platform, Store
from penstock.routing import affinity
from penstock.routing.affinity import Mark, Trail
from penstock.routing.offers import Offer
from penstock.routing.policies import Choice
from penstock.wire.chat import Usage

if TYPE_CHECKING:
    from penstock.gateway.delivery import Delivery

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Mark).decode


async def warm_first(delivery: Delivery, choice: Choice) -> Choice:
    """The choice with the target that has this conversation's prompt warm before the policy's own, where that costs no more.

    What can be given up for it is the policy's word. Offers whose target or deployment is not well stay where they are.
    """
    if not choice.offers or not (choice.instead or _several(delivery, choice.offers[0])):
        return choice
    name = _trail(delivery).before()
    found = await _store(delivery.gateway.platform).get(name) if name else None
    mark = None if found is None else _read(found)
    offer = None if mark is None else affinity.found(choice, mark, delivery.ask)
    if mark is None or offer is None or not _well(delivery, offer, mark):
        return choice
    choice, delivery.decision.warm = affinity.weighed(choice, offer, mark, delivery.ask)
    return choice


async def note(delivery: Delivery, usage: Usage) -> None:
    """Leaves a mark of a good answer, where one may be of use to the next turn; whatever fails, the answer is there."""
    way, answer = delivery.way, delivery.answer
    if way is None or answer is None or "no-store" in delivery.exchange.cache_control:
        return
    turn = answer.turn
    if not turn.deployment and (len(way.offers) == 1 or way.policy.name == "fixed"):
        return
    try:
        mark = affinity.left(answer.offer, turn.deployment, delivery.ask, usage)
        if mark is not None:
            store = _store(delivery.gateway.platform)
            await store.put(_trail(delivery).here(), _encode(mark), affinity.SECONDS)
    except Exception as error:  # noqa: BLE001 - it is worth a saving, and never an answer
        delivery.gateway.report(delivery.exchange.id, error)


def _trail(delivery: Delivery) -> Trail:
    if delivery.trail is None:
        assert delivery.way is not None
        delivery.trail = Trail(
            delivery.gateway.platform.secret,
            delivery.exchange.caller.owner,
            delivery.way.name,
            delivery.ask,
        )
    return delivery.trail


def _store(platform: Platform) -> Store:
    # On Workers the data centre's own cache: it costs nothing, and a conversation mostly comes to the same one again.
    return platform.replies or platform.store


def _several(delivery: Delivery, offer: Offer) -> bool:
    found = delivery.gateway.lasting.fleet.of(offer)
    return found is not None and len(found.each) > 1


def _well(delivery: Delivery, offer: Offer, mark: Mark) -> bool:
    found = delivery.gateway.lasting.fleet.of(offer)
    return found is not None and found.well(delivery.gateway.platform.clock.tick(), mark.deployment)


def _read(data: bytes) -> Mark | None:
    try:
        return _decode(data)
    except msgspec.DecodeError:
        return None
