"""Stripe's events: each stored once before Stripe is told so, and delivered until the billing service has it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from penstock.errors import Conflict, Repeated, Unheard
from penstock.ledger import days
from penstock.ledger.webhooks import sql
from penstock.ports import Tables

STORED = "webhook_events_pkey"
LEASE_MS = 60_000
"""How long whoever claimed an event has for delivering it; then it is another's."""
BACKOFF_MS = (10_000, 30_000, 120_000, 600_000, 1_800_000, 3_600_000)
"""After the first, second, third … failed delivery; after the last of them always so long."""
PATIENCE_MS = 3 * days.DAY_MS
"""As long as Stripe itself tries."""
KEPT_MS = 40 * days.DAY_MS
"""So long an event that has ended is known, and told to be a repeat: Stripe sends one again by hand for a month."""
SWEEP_ROWS = 100

Outcome = Literal["delivered", "given_up"]


class Event(Struct, frozen=True):
    """One event as it came; times in milliseconds, `attempts` counts the delivery that is due now."""

    id: str
    body: str
    signature: str
    received_at: int
    attempts: int = 1


async def store(tables: Tables, event: Event) -> bool:
    """Whether it is new, or was given up and begins anew; it then is durable, and its storer's to deliver. Raises Repeated
    where its id names another event."""
    due = event.received_at + LEASE_MS
    row = (event.id, event.body, event.signature, event.received_at, due)
    try:
        await tables.batch((sql.STORE, row))
    except Conflict as conflict:
        if conflict.name != STORED:
            raise
        known = await tables.rows(sql.FIND, event.id)
        if not known:
            raise Unheard("The event was dropped meanwhile: send it again.") from conflict
        if not same(str(known[0][0]), event.body):
            raise Repeated(
                "An event of this id was taken before, and was another.", code="event_id_reused"
            ) from conflict
        # Who mended the service has Stripe send again by hand what was given up.
        anew = (event.body, event.signature, event.received_at, due, event.id)
        [revived] = await tables.batch((sql.REVIVE, anew))
        return bool(revived)
    return True


async def claim(tables: Tables, now: int) -> Event | None:
    """The event that is due longest, for whoever asked first; None where none is."""
    [rows] = await tables.batch((sql.CLAIM, (now + LEASE_MS, now)))
    return Event(*rows[0]) if rows else None


async def delivered(tables: Tables, event: Event, status: int, now: int) -> None:
    """It is with the service."""
    await _end(tables, event, "delivered", status, now)


async def failed(tables: Tables, event: Event, status: int, now: int) -> bool:
    """It is not, by a reply of that status or (0) by none: it is due again later, or (then this is true) given up."""
    if now - event.received_at >= PATIENCE_MS:
        await _end(tables, event, "given_up", status, now)
        return True
    due = now + BACKOFF_MS[min(event.attempts, len(BACKOFF_MS)) - 1]
    await tables.batch((sql.AGAIN, (due, status, event.id, event.attempts)))
    return False


async def sweep(tables: Tables, now: int) -> bool:
    """Drops some that ended long ago; whether there may be more."""
    [swept] = await tables.batch((sql.SWEEP, (now - KEPT_MS, SWEEP_ROWS)))
    return len(swept) == SWEEP_ROWS


def same(one: str, other: str) -> bool:
    """Whether two bodies are one event: in a repeat Stripe may count other deliveries that are pending."""
    return one == other or _plain(one) == _plain(other)


async def _end(tables: Tables, event: Event, outcome: Outcome, status: int, now: int) -> None:
    await tables.batch((sql.END, (outcome, status, now, event.id)))


def _plain(body: str) -> Any:
    fields = msgspec.json.decode(body)
    return {name: value for name, value in fields.items() if name != "pending_webhooks"}
