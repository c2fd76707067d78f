"""One chat completion, on one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.gateway.delivery import Delivery
from penstock.gateway.exchange import Exchange
from penstock.gateway.faces import Face
from penstock.wire.http import Response

if TYPE_CHECKING:
    from penstock.gateway import Gateway


async def chat(gateway: Gateway, exchange: Exchange, face: Face) -> Response:
    """Reads the ask, finds or buys its answer, and hands out the delivery that carries it."""
    ask = face.decode(await exchange.read(), exchange.caller)  # BadRequest, Forbidden
    delivery = Delivery(
        gateway, exchange, ask, face
    )  # owns flight, hold and upstream; its aclose ends them
    try:
        delivery.way = gateway.names.way(ask, exchange.caller)  # ModelNotFound, Unauthorized
        if await gateway.kept.find(delivery):  # a kept answer, or the first asker's live
            return await delivery.respond()
        choice = await delivery.rank()  # BadRequest where no target can take it
        hold = await gateway.limits.hold(
            delivery, choice
        )  # RateLimited, OutOfBudget; reserves the dearest
        settings, shown = delivery.way.settings, exchange.shown  # a service sees who asks
        delivery.start(await gateway.upstream.send(ask, choice.offers, hold, settings, shown))
        return await delivery.respond()
    except BaseException as error:
        await delivery.give_up(error)  # released only if nothing was sent, else estimated
        raise
