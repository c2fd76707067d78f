"""What can be subscribed to, and what a subscription is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.errors import BadRequest, Unavailable
from penstock_services.callers import TIERS

REQUESTS_PER_HOUR = {"free": 100, "pro": 1_000, "enterprise": 10_000}
"""The gateway's defaults."""

STATUSES = {
    "active": "ACTIVE",
    "trialing": "TRIALING",
    "past_due": "PAST_DUE",
    "unpaid": "UNPAID",
    "incomplete": "UNPAID",
    "paused": "UNPAID",
    "canceled": "CANCELED",
    "incomplete_expired": "CANCELED",
}
"""Stripe's words in ours; the first three give their tier."""


def listed(prices: Mapping[str, str]) -> list[dict[str, Any]]:
    """All plans; those without a price of Stripe's cannot be bought here."""
    return [
        {
            "id": tier,
            "tier": tier,
            "requestsPerHour": REQUESTS_PER_HOUR[tier],
            "available": tier == "free" or tier in prices,
        }
        for tier in TIERS
    ]


def price_of(plan: str, prices: Mapping[str, str]) -> str:
    """Stripe's price of a plan; raises BadRequest or Unavailable."""
    if plan not in TIERS or plan == "free":
        raise BadRequest(f"plan is one of {', '.join(TIERS[1:])}.", code="unknown_plan")
    if plan not in prices:
        raise Unavailable(f"This plan has no price: set STRIPE_PRICE_{plan.upper()}.")
    return prices[plan]


def tier_of(price: str, prices: Mapping[str, str]) -> str:
    """The tier that a price buys; a price that is none of ours buys nothing."""
    return next((tier for tier, known in prices.items() if known == price), TIERS[0])


def rank(tier: str) -> int:
    """Tiers in order: of two subscriptions the better one counts."""
    return TIERS.index(tier)
