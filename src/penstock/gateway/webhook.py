"""Stripe's webhook: an event is checked, stored once, and then delivered to the billing service as the bytes it came in."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from penstock.auth import signatures
from penstock.auth.caller import anonymous
from penstock.errors import BadRequest, Error, Failed, NotFound, Unauthorized
from penstock.gateway.exchange import Exchange
from penstock.gateway.routes import Endpoint, Handler
from penstock.ledger import webhooks
from penstock.ledger.webhooks import Event
from penstock.wire.http import JSON, Request, Response, collect
from penstock.wire.json import decode_object, encode

if TYPE_CHECKING:
    from penstock.gateway import Gateway

LOG = logging.getLogger(__name__)

EVENT_BYTES = 1 << 20
REPLY_BYTES = 64 << 10
LONGEST_ID = 255
DELIVERY_SECONDS = 20.0
"""The longest one delivery takes: behind a Worker's reply there are 30 s."""
FRESH_SECONDS = 200
"""A signature this old goes on as it came; behind an older one the event is signed anew, for a service that checks too."""
MOST_AT_ONCE = 64
"""Deliveries that one process begins as events come: while a service hangs, the others wait in the table for the upkeep."""
NOBODY = "unknown"


class Webhook:
    """POST of a billing service's `webhook` at that path."""

    def __init__(self, passing: Handler, path: str) -> None:
        self._path = path
        self._endpoint = Endpoint(passing, "none")
        self._running = 0

    async def __call__(self, gateway: Gateway, exchange: Exchange) -> Response:
        """200 once the event is durable; raises BadRequest, NotFound, Repeated, TooLarge, Unavailable."""
        secrets = gateway.config.billing.webhook_secrets
        if not secrets or exchange.request.path.rstrip("/") != self._path:
            raise NotFound(code="not_found")
        sent = [value for name, value in exchange.request.headers if name == "stripe-signature"]
        if len(sent) != 1 or signatures.signed_at(sent[0]) is None:
            raise _unsigned()
        exchange.limit = min(exchange.limit, EVENT_BYTES)
        body = await exchange.read()
        now = gateway.platform.clock.now()
        if not signatures.verified(sent[0], body, secrets, now):
            raise _unsigned()
        event = Event(_id(body), body.decode(), sent[0], int(now * 1000))
        fresh = await webhooks.store(gateway.platform.tables, event)
        # On Workers each request's work is bounded by itself, and may be cut off without a word.
        if fresh and (self._running < MOST_AT_ONCE or not gateway.platform.shared_loop):
            gateway.platform.spawn(self._first(gateway, event))
        return Response(200, [JSON], encode({"received": True, "duplicate": not fresh}))

    async def deliver(self, gateway: Gateway, event: Event) -> None:
        """One delivery of an event that was claimed, and what came of it; raises Unavailable where that cannot be written."""
        status = await self._sent(gateway, event)
        tables, now = gateway.platform.tables, int(gateway.platform.clock.now() * 1000)
        if 200 <= status < 300:
            await webhooks.delivered(tables, event, status, now)
        elif await webhooks.failed(tables, event, status, now):
            LOG.error("Stripe's event %s is given up; the last reply was %d.", event.id, status)

    async def _first(self, gateway: Gateway, event: Event) -> None:
        # What is not written is delivered once more when the claim is over: the service knows the id.
        self._running += 1
        try:
            with suppress(Error):
                await self.deliver(gateway, event)
        finally:
            self._running -= 1

    async def _sent(self, gateway: Gateway, event: Event) -> int:
        """The status of the service's reply, 0 where there was none in time."""
        try:
            async with gateway.platform.clock.timeout(DELIVERY_SECONDS):
                response = await self._endpoint.handler(gateway, self._exchange(gateway, event))
                try:
                    if not isinstance(response.body, bytes):
                        await collect(response.body, REPLY_BYTES)
                finally:
                    await response.aclose()
        except Failed as error:
            return error.upstream_status
        except (Error, TimeoutError):
            return 0
        except Exception as error:  # noqa: BLE001 - one event that nobody foresaw must not hold up the others
            gateway.report(event.id, error)
            return 0
        return response.status

    def _exchange(self, gateway: Gateway, event: Event) -> Exchange:
        body, platform = event.body.encode(), gateway.platform
        headers = [JSON, ("stripe-signature", self._signature(gateway, event, body))]
        request = Request("POST", self._path.encode(), self._path, "", headers, NOBODY, body)
        return Exchange(
            platform.ids.new("req_"), request, self._endpoint, platform.clock.tick(), EVENT_BYTES,
            anonymous(NOBODY, Unauthorized()), gateway.lasting.bodies,
        )  # fmt: skip

    def _signature(self, gateway: Gateway, event: Event, body: bytes) -> str:
        secrets, now = gateway.config.billing.webhook_secrets, gateway.platform.clock.now()
        at = signatures.signed_at(event.signature)
        if not secrets or (at is not None and abs(now - at) <= FRESH_SECONDS):
            return event.signature
        return signatures.signed(body, secrets[0], now)


def _id(body: bytes) -> str:
    """An event's id; raises BadRequest for what is no event."""
    fields, _ = decode_object(body)
    found = fields.get("id")
    plain = isinstance(found, str) and found.isascii() and found.isprintable() and " " not in found
    if not (plain and 0 < len(str(found)) <= LONGEST_ID):
        raise BadRequest("This is no event: it has no id.", code="invalid_event")
    return str(found)


def _unsigned() -> BadRequest:
    return BadRequest(
        "This is not signed by Stripe with a secret of ours, or more than five minutes ago or ahead.",
        code="invalid_signature",
    )
