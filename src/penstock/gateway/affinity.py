"""Which target has a conversation's prompt warm: asked for before a long turn is sent, and noted after it."""

from __future__ import annotations

from contextlib import suppress
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

WAIT_SECONDS = 0.25
"""For a mark to be read or written: what it may save is worth no more of a caller's time."""
MOST_BYTES = 8 << 10
"""Of a mark: more was written by somebody else."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Mark).decode


async def warm_first(delivery: Delivery, choice: Choice) -> Choice:
    """The choice with the target that has this conversation's prompt warm before the policy's own, where that costs no more.

    What can be given up for it is the policy's word. What is not well counts as cold.
    """
    if not choice.offers or not _chosen(delivery, choice.offers[0]):
        return choice
    if not affinity.possible(choice.offers, delivery.ask):
        return choice
    try:
        mark = await _found(delivery)
        if mark is not None:
            return _weighed(delivery, choice, mark)
    except Exception as error:  # noqa: BLE001 - it is worth a saving, and never an answer
        delivery.gateway.report(delivery.exchange.id, error)
    return choice


async def note(delivery: Delivery, usage: Usage) -> None:
    """Leaves a mark of a good answer, where one may be of use to the next turn; whatever fails, the answer is there."""
    answer, platform = delivery.answer, delivery.gateway.platform
    if answer is None or delivery.private or "no-store" in delivery.exchange.cache_control:
        return
    if not _chosen(delivery, answer.offer):
        return
    try:
        trail = _trail(delivery)
        mark = affinity.left(
            answer.offer, answer.turn.deployment, delivery.ask, usage, trail.found, platform.clock.now()
        )  # fmt: skip
        if mark is not None:
            async with platform.clock.timeout(WAIT_SECONDS):
                await _store(platform).put(trail.here(), _encode(mark), affinity.SECONDS)
    except TimeoutError:
        return
    except Exception as error:  # noqa: BLE001 - as above
        delivery.gateway.report(delivery.exchange.id, error)


async def _found(delivery: Delivery) -> Mark | None:
    """The mark of the turn before, if it is there soon."""
    trail, platform = _trail(delivery), delivery.gateway.platform
    name = trail.before()
    if not name:
        return None
    data = None
    with suppress(TimeoutError):
        async with platform.clock.timeout(WAIT_SECONDS):
            data = await _store(platform).get(name)
    if data is not None and len(data) <= MOST_BYTES:
        with suppress(msgspec.DecodeError):
            trail.found = _decode(data)
    return trail.found


def _weighed(delivery: Delivery, choice: Choice, mark: Mark) -> Choice:
    assert delivery.way is not None
    clock, fleet = delivery.gateway.platform.clock, delivery.gateway.lasting.fleet

    def well(offer: Offer, deployment: str) -> bool:
        found = fleet.of(offer)
        return found is not None and found.well(clock.tick(), deployment)

    attempts = delivery.way.settings.attempts
    choice, delivery.decision.warm = affinity.weighed(
        choice, mark, delivery.ask, clock.now(), well, attempts
    )
    return choice


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


def _chosen(delivery: Delivery, offer: Offer) -> bool:
    """Whether there is anything to choose: by the policy, or between this offer's deployments."""
    way = delivery.way
    if way is not None and len(way.offers) > 1 and way.policy.name != "fixed":
        return True
    found = delivery.gateway.lasting.fleet.of(offer)
    return found is not None and len(found.each) > 1
