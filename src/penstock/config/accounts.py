"""What is kept of people's registrations and logins."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Days = Annotated[int, Meta(ge=0, le=36_500)]


class Accounts(Struct, frozen=True, forbid_unknown_fields=True):
    """What is kept of registrations and login attempts at the service `auth`."""

    retention_days: Days = 90
    """How long they are kept; 0: none is written."""
    emails: Literal["plain", "hashed"] = "plain"
    """As they are, or as a hash that this installation's secret keys: the same address has the same hash."""


class Billing(Struct, frozen=True, forbid_unknown_fields=True):
    """What the gateway does for the service `billing`."""

    webhook_secrets: tuple[str, ...] = ()
    """Stripe's signing secrets (`whsec_…`), several while you rotate, best written `${VAR}`; empty: those in `STRIPE_WEBHOOK_SECRET`, by commas. Without any the webhook answers 404."""
