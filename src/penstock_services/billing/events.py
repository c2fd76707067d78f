"""What each of Stripe's events means for the tables: a pure mapping, for events whose signature held."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

from penstock.errors import BadRequest
from penstock.ports import Statement
from penstock_services.billing import sql
from penstock_services.billing.plans import STATUSES, rank, tier_of


class Object(Struct):
    """What of any of Stripe's objects we read; others and other fields are skipped."""

    id: str = ""
    customer: str | None = None
    metadata: dict[str, str] | None = None
    status: str | None = None
    items: dict[str, Any] | None = None
    current_period_start: int | None = None
    current_period_end: int | None = None
    cancel_at_period_end: bool | None = None
    canceled_at: int | None = None
    payment_intent: str | None = None
    amount_paid: int | None = None
    amount_due: int | None = None
    currency: str | None = None
    refunded: bool | None = None


class Data(Struct):
    object: Object


class Event(Struct):
    """One event as Stripe sends it; `created` in seconds. What it is about is read only where it means something to us."""

    id: str
    type: str
    created: int
    data: Raw


class Effects(NamedTuple):
    """Statements to run in one batch, and the user whose tier may have changed."""

    statements: list[Statement]
    user_id: str = ""


Prices = Mapping[str, str]
Effect = Callable[[Event, Object, Prices], Effects]

CREATED = "customer.subscription.created"
NUL = rb"\u0000"
_decode = msgspec.json.Decoder(Event).decode
_decode_data = msgspec.json.Decoder(Data).decode


def read(body: bytes) -> Event:
    """Raises BadRequest."""
    try:
        if NUL in body:
            raise _no_event()
        event = _decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _no_event() from error
    if not event.id or not 0 <= event.created < 1 << 40:
        raise _no_event()
    return event


def effects(event: Event, prices: Prices) -> Effects:
    """What to write; nothing for events that mean nothing to us. Raises BadRequest."""
    effect = EFFECTS.get(event.type)
    if effect is None:
        return Effects([])
    try:
        told = _decode_data(event.data).object
    except msgspec.DecodeError as error:
        raise _no_event() from error
    return effect(event, told, prices)


def _no_event() -> BadRequest:
    return BadRequest("This is no event of Stripe's.", code="invalid_event")


def _subscription(event: Event, told: Object, prices: Prices) -> Effects:
    marks = told.metadata or {}
    owner, user_id = marks.get("owner"), marks.get("user_id")
    if not (owner and user_id and told.customer):
        return Effects([])  # not begun by us
    item = _item(told)
    tier = tier_of(_price(item), prices)
    ended = event.type == "customer.subscription.deleted"
    status = "CANCELED" if ended else STATUSES.get(told.status or "", "UNPAID")
    start = told.current_period_start or item.get("current_period_start") or 0
    end = told.current_period_end or item.get("current_period_end") or 0
    row = (
        told.id, owner, user_id, told.customer, tier, rank(tier), status,
        int(start) * 1000, int(end) * 1000, int(bool(told.cancel_at_period_end)),
        (told.canceled_at or 0) * 1000, event.created, int(event.type != CREATED),
    )  # fmt: skip
    written: list[Statement] = [
        (sql.CUSTOMER, (owner, user_id, told.customer)),
        (sql.SUBSCRIPTION, row),
        (sql.TIER, (user_id,)),
    ]
    return Effects(written, user_id)


def _checkout(event: Event, told: Object, prices: Prices) -> Effects:
    marks = told.metadata or {}
    owner, user_id = marks.get("owner"), marks.get("user_id")
    if not (owner and user_id and told.customer):
        return Effects([])
    return Effects([(sql.CUSTOMER, (owner, user_id, told.customer))])


def _paid(event: Event, told: Object, prices: Prices) -> Effects:
    return _invoice(event, told, "SUCCEEDED", told.amount_paid, event.created * 1000)


def _unpaid(event: Event, told: Object, prices: Prices) -> Effects:
    return _invoice(event, told, "FAILED", told.amount_due, 0)


def _invoice(event: Event, told: Object, status: str, amount: int | None, paid_at: int) -> Effects:
    row = (
        told.id, told.customer or "", told.payment_intent or "", amount or 0,
        told.currency or "", status, paid_at, event.created,
    )  # fmt: skip
    return Effects([(sql.PAYMENT, row)])


def _refunded(event: Event, told: Object, prices: Prices) -> Effects:
    if not (told.refunded and told.payment_intent):
        return Effects([])  # in part: the payment stands
    return Effects([(sql.REFUND, (told.payment_intent,))])


EFFECTS: dict[str, Effect] = {
    "checkout.session.completed": _checkout,
    CREATED: _subscription,
    "customer.subscription.updated": _subscription,
    "customer.subscription.deleted": _subscription,
    "customer.subscription.paused": _subscription,
    "customer.subscription.resumed": _subscription,
    "invoice.paid": _paid,
    "invoice.payment_failed": _unpaid,
    "charge.refunded": _refunded,
}


def _item(told: Object) -> dict[str, Any]:
    listed = (told.items or {}).get("data")
    first = listed[0] if isinstance(listed, list) and listed else {}
    return first if isinstance(first, dict) else {}


def _price(item: dict[str, Any]) -> str:
    price = item.get("price")
    return str(price.get("id", "")) if isinstance(price, dict) else ""
