"""The billing service: plans, subscriptions through Stripe, and the tier that follows from them."""

from __future__ import annotations
